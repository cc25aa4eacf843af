namespace Harness.Tests.Contracts;

/// <summary>Assertions for contract bodies, which run inside NUnit and inside processes that an mpiexec starts.</summary>
internal static class Check
{
    public static void That(bool condition, string what)
    {
        if (!condition) throw new ContractViolationException(what);
    }

    public static void Equal<T>(T actual, T expected, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(actual, expected))
            throw new ContractViolationException(FormattableString.Invariant($"{what}: {actual}, not {expected}"));
    }

    /// <summary>Compares every element; a message is only made for the first that differs.</summary>
    public static void Elements(ReadOnlySpan<float> actual, Func<int, float> expected, string what)
    {
        for (var i = 0; i < actual.Length; i++)
            if (actual[i] != expected(i)) Equal(actual[i], expected(i), $"element {i} of {what}");
    }

    public static T Throws<T>(Action action, string what) where T : Exception
    {
        try
        {
            action();
        }
        catch (T e)
        {
            return e;
        }
        throw new ContractViolationException($"{what}: no {typeof(T).Name}");
    }
}

internal sealed class ContractViolationException(string message) : Exception(message);
