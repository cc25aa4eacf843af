namespace Harness.Reports.Publishing;

/// <summary>Names with numbers in them as people sort them: run-2 before run-10.</summary>
internal sealed class NaturalOrder : IComparer<string>
{
    public static readonly NaturalOrder Instance = new();

    public int Compare(string? x, string? y)
    {
        var (a, b) = (x ?? "", y ?? "");
        for (int i = 0, j = 0; i < a.Length && j < b.Length;)
        {
            var (left, right) = (Digits(a, i), Digits(b, j));
            var order = left > 0 && right > 0
                ? CompareNumbers(a.AsSpan(i, left).TrimStart('0'), b.AsSpan(j, right).TrimStart('0'))
                : a[i].CompareTo(b[j]);
            if (order != 0) return order;
            (i, j) = left > 0 && right > 0 ? (i + left, j + right) : (i + 1, j + 1);
        }
        return a.Length != b.Length ? a.Length - b.Length : string.CompareOrdinal(a, b);
    }

    private static int CompareNumbers(ReadOnlySpan<char> a, ReadOnlySpan<char> b) =>
        a.Length != b.Length ? a.Length - b.Length : a.SequenceCompareTo(b);

    /// <summary>How many there are from here on.</summary>
    private static int Digits(string text, int from)
    {
        var end = text.AsSpan(from).IndexOfAnyExceptInRange('0', '9');
        return end < 0 ? text.Length - from : end;
    }
}
