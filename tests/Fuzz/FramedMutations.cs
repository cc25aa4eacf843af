using System.Buffers.Binary;
using System.Security.Cryptography;
using Harness.Common;

namespace Harness.Fuzz;

/// <summary>Changes within a frame of lengths and checksums, which fit afterwards.</summary>
internal static class FramedMutations
{
    private const int LengthBytes = sizeof(long), EntryHeadBytes = 8, ChecksumBytes = 4, TailBytes = 8;

    /// <summary>The JSON header of a safetensors file, behind its length of 8 bytes.</summary>
    public static byte[] ChangeHeader(byte[] input, byte[] other, SplitMix64 random)
    {
        if (Header(input) is not { } length) return ByteMutations.Change(input, other, random);
        var theirs = Header(other) is { } found ? other[LengthBytes..(LengthBytes + found)] : other;
        var header = JsonMutations.Change(input[LengthBytes..(LengthBytes + length)], theirs, random);
        var changed = new byte[LengthBytes];
        BinaryPrimitives.WriteInt64LittleEndian(changed, header.Length);
        return [.. changed, .. header, .. input[(LengthBytes + length)..]];
    }

    /// <summary>The footer of a Parquet file, in front of its length and of a word.</summary>
    public static byte[] ChangeFooter(byte[] input, byte[] other, SplitMix64 random)
    {
        if (Footer(input) is not { } length) return ByteMutations.Change(input, other, random);
        var theirs = Footer(other) is { } found ? other[^(found + TailBytes)..^TailBytes] : other;
        var footer = ByteMutations.Change(input[^(length + TailBytes)..^TailBytes], theirs, random);
        return [.. input[..^(length + TailBytes)], .. footer, .. BitConverter.GetBytes(footer.Length), .. input[^4..]];
    }

    /// <summary>The first entry of a journal of batches: length, checksum, bytes.</summary>
    public static byte[] ChangeEntry(byte[] input, byte[] other, SplitMix64 random)
    {
        if (input.Length <= EntryHeadBytes) return ByteMutations.Change(input, other, random);
        var length = Math.Clamp(BinaryPrimitives.ReadInt32LittleEndian(input) - ChecksumBytes, 0, input.Length - EntryHeadBytes);
        var entry = ByteMutations.Change(input[EntryHeadBytes..(EntryHeadBytes + length)], other, random);
        return [.. BitConverter.GetBytes(ChecksumBytes + entry.Length), .. SHA256.HashData(entry)[..ChecksumBytes], .. entry,
            .. input[(EntryHeadBytes + length)..]];
    }

    private static int? Footer(byte[] input) =>
        input.Length > TailBytes && BinaryPrimitives.ReadInt32LittleEndian(input.AsSpan(input.Length - TailBytes)) is > 0 and var length
            && length <= input.Length - TailBytes ? length : null;

    private static int? Header(byte[] input) =>
        input.Length > LengthBytes && BinaryPrimitives.ReadInt64LittleEndian(input) is > 0 and var length
            && length <= input.Length - LengthBytes ? (int)length : null;
}
