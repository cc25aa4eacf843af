using Harness.Common;

namespace Harness.Datasets;

/// <summary>Which records a run uses, and in which order: the same on every machine and runtime.</summary>
public static class PromptSelection
{
    /// <summary>
    /// The first <paramref name="limit"/> of the file without a seed; with one, the first of a Fisher–Yates shuffle of the whole
    /// file drawn by <see cref="SplitMix64"/>, so that a smaller limit is a prefix of a larger one. All where there are fewer.
    /// </summary>
    public static IReadOnlyList<T> Select<T>(IEnumerable<T> records, int? limit, long? seed)
    {
        if (limit < 1) throw new UserErrorException($"the limit is {limit}, expected at least 1 prompt");
        if (seed is not { } s) return (limit is { } first ? records.Take(first) : records).ToList();
        var all = records.ToArray();
        var random = new SplitMix64(unchecked((ulong)s));
        var count = Math.Min(limit ?? all.Length, all.Length);
        for (var i = 0; i < count; i++)
        {
            var j = i + (int)random.Below((ulong)(all.Length - i));
            (all[i], all[j]) = (all[j], all[i]);
        }
        return all[..count];
    }
}
