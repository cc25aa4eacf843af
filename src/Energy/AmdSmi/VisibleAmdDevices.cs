using System.Globalization;

namespace Harness.Energy.AmdSmi;

/// <summary>What the environment shows of the GPUs to a program on ROCm.</summary>
/// <param name="Rocr"><c>ROCR_VISIBLE_DEVICES</c>: chosen by the runtime below, among all; null when it is not set.</param>
/// <param name="Hip"><c>HIP_VISIBLE_DEVICES</c>, or else <c>CUDA_VISIBLE_DEVICES</c>: chosen among those that the runtime shows.</param>
public sealed record AmdVisibility(string? Rocr, string? Hip)
{
    public static AmdVisibility OfThisProcess { get; } = new(Environment.GetEnvironmentVariable("ROCR_VISIBLE_DEVICES"),
        Environment.GetEnvironmentVariable("HIP_VISIBLE_DEVICES") ?? Environment.GetEnvironmentVariable("CUDA_VISIBLE_DEVICES"));

    /// <summary>
    /// The devices that HIP shows to the process, in its order (ROCm's documentation, "GPU isolation techniques"): entries are indices or
    /// <c>GPU-</c> with the unique id in hexadecimal digits; the first invalid entry hides itself and all that follow.
    /// </summary>
    internal IReadOnlyList<AmdDevice> Among(IReadOnlyList<AmdDevice> all) => Chosen(Hip, Chosen(Rocr, all));

    private static IReadOnlyList<AmdDevice> Chosen(string? entries, IReadOnlyList<AmdDevice> among) => entries == null ? among
        : [.. entries.Split(',', StringSplitOptions.TrimEntries).Select(entry => Resolve(entry, among)).TakeWhile(device => device != null)
            .Cast<AmdDevice>()];

    private static AmdDevice? Resolve(string entry, IReadOnlyList<AmdDevice> among) =>
        int.TryParse(entry, NumberStyles.None, CultureInfo.InvariantCulture, out var index) ? index < among.Count ? among[index] : null
            : entry.StartsWith("GPU-", StringComparison.OrdinalIgnoreCase)
                ? among.FirstOrDefault(device => device.Files.UniqueId.Length > 0
                    && device.Files.UniqueId == entry["GPU-".Length..].ToLowerInvariant().PadLeft(16, '0'))
            : null;
}
