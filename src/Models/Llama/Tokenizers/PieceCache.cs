namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// The ids of pieces (words) met before. A fixed table in which a newcomer replaces whatever had its slot: bounded,
/// and safe to share between threads without a lock, since an entry is one immutable object.
/// </summary>
internal sealed class PieceCache
{
    private const int Slots = 1 << 16;
    private const int LongestPiece = 64; // longer ones hardly come back, and would make the bound on memory a loose one

    private readonly Entry?[] entries = new Entry?[Slots];

    public bool TryGet(ReadOnlySpan<char> piece, out ReadOnlySpan<int> ids)
    {
        if (piece.Length <= LongestPiece && Volatile.Read(ref entries[Slot(piece)]) is { } entry && piece.SequenceEqual(entry.Piece))
        {
            ids = entry.Ids;
            return true;
        }
        ids = default;
        return false;
    }

    public void Set(ReadOnlySpan<char> piece, ReadOnlySpan<int> ids)
    {
        if (piece.Length <= LongestPiece)
            Volatile.Write(ref entries[Slot(piece)], new Entry(piece.ToString(), ids.ToArray()));
    }

    private static int Slot(ReadOnlySpan<char> piece) => string.GetHashCode(piece) & (Slots - 1);

    private sealed record Entry(string Piece, int[] Ids);
}
