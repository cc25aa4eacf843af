using System.Diagnostics;

namespace Harness.Fuzz;

/// <summary>What an input did that no input may do.</summary>
/// <param name="Kind">The same for all inputs that fail alike: they count as one.</param>
/// <param name="What">For people: the exception with its trace, the seconds, the bytes.</param>
internal sealed record Finding(string Kind, string What, byte[] Input)
{
    private const int FramesOfKind = 2;

    public int Count { get; set; } = 1;

    public static Finding Of(Exception failure, byte[] input)
    {
        var frames = new StackTrace(failure).GetFrames().Select(frame => frame.GetMethod())
            .Where(method => method?.DeclaringType?.FullName?.StartsWith("Harness.", StringComparison.Ordinal) == true
                && method.DeclaringType.Namespace != typeof(Finding).Namespace)
            .Take(FramesOfKind).Select(method => $"{method!.DeclaringType!.Name}.{method.Name}");
        return new($"{failure.GetType().Name} in {string.Join(" < ", frames)}", failure.ToString(), input);
    }

    public static Finding Slow(double seconds, byte[] input) =>
        new("takes long", FormattableString.Invariant($"{seconds:F1} s of processor time"), input);

    public static Finding Endless(double seconds, byte[] input) =>
        new("does not end", FormattableString.Invariant($"{seconds:F1} s of processor time, and not ended"), input);

    public static Finding Waits(double seconds, byte[] input) =>
        new("waits", FormattableString.Invariant($"{seconds:F0} s, and not ended"), input);

    public static Finding Greedy(long bytes, byte[] input) =>
        new("allocates much", FormattableString.Invariant($"{bytes:N0} bytes of {input.Length:N0}"), input);
}
