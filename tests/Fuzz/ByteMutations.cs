using System.Buffers.Binary;
using System.Text;
using Harness.Common;

namespace Harness.Fuzz;

/// <summary>Changes that know nothing of the format: as damaged storage, a broken copy and a careless editor make them.</summary>
internal static class ByteMutations
{
    private static readonly byte[][] s_tokens =
    [
        .. new[] { "null", "NaN", "1e999", "-1", "{", "}", "[", "]", "\"", ",", ":", "\n", "\r\n", "\\u0000", "\\ud800", "####", "0x", "'" }
            .Select(Encoding.UTF8.GetBytes),
        [0], [0xFF], [0xC3, 0x28], [0xED, 0xA0, 0x80], [0xEF, 0xBB, 0xBF], [0xFF, 0xFE], [0xF4, 0x90, 0x80, 0x80],
    ];

    private static readonly long[] s_numbers =
        [0, 1, -1, 7, 8, 127, 128, 255, 256, 32_767, 65_536, int.MaxValue, int.MinValue, uint.MaxValue, long.MaxValue, long.MinValue];

    public static byte[] Change(byte[] input, byte[] other, SplitMix64 random)
    {
        if (input.Length == 0) return random.Of(s_tokens);
        var at = random.Index(input.Length);
        switch (random.Index(9))
        {
            case 0:
                return With(input, at, [(byte)(input[at] ^ (1 << random.Index(8)))]);
            case 1:
                return With(input, at, [(byte)random.Index(256)]);
            case 2:
                return input[..at];
            case 3:
                return Without(input, at, 1 + random.Index(Math.Min(32, input.Length - at)));
            case 4:
                var length = 1 + random.Index(Math.Min(64, input.Length - at));
                return Inserted(input, random.Index(input.Length), input.AsSpan(at, length));
            case 5:
                return [.. input[..at], .. other[random.Index(other.Length)..]];
            case 6:
                return Inserted(input, at, random.Of(s_tokens));
            case 7:
                return With(input, at, random.Of(s_tokens));
            default:
                var number = new byte[sizeof(long)];
                BinaryPrimitives.WriteInt64LittleEndian(number, random.Of(s_numbers));
                return With(input, at, number.AsSpan(0, random.Of([1, 2, 4, 8])));
        }
    }

    /// <summary>Some bytes taken out and others put there.</summary>
    public static byte[] Replaced(byte[] input, int start, int end, ReadOnlySpan<byte> by) => [.. input[..start], .. by, .. input[end..]];

    private static byte[] With(byte[] input, int at, ReadOnlySpan<byte> by)
    {
        var changed = (byte[])input.Clone();
        by[..Math.Min(by.Length, input.Length - at)].CopyTo(changed.AsSpan(at));
        return changed;
    }

    private static byte[] Without(byte[] input, int at, int length) => Replaced(input, at, at + length, []);

    private static byte[] Inserted(byte[] input, int at, ReadOnlySpan<byte> what) => Replaced(input, at, at, what);
}
