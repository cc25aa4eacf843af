using Harness.Common;

namespace Harness.Fuzz;

/// <summary>
/// Changes of a protobuf message field by field, with lengths that fit afterwards: a wrong length alone hides all behind it.
/// </summary>
internal static class ProtobufMutations
{
    private readonly record struct Field(int Start, int BodyStart, int End);

    public static byte[] Change(byte[] input, byte[] other, SplitMix64 random)
    {
        var fields = Fields(input);
        if (fields.Count == 0) return ByteMutations.Change(input, other, random);
        var field = random.Of(fields);
        switch (random.Index(4))
        {
            case 0:
                return ByteMutations.Replaced(input, field.Start, field.End, []);
            case 1:
                return ByteMutations.Replaced(input, field.End, field.End, input.AsSpan(field.Start, field.End - field.Start));
            default:
                var body = ByteMutations.Change(input[field.BodyStart..field.End], other, random);
                return ByteMutations.Replaced(input, field.Start, field.End, [input[field.Start], .. Varint(body.Length), .. body]);
        }
    }

    /// <summary>Fields of one-byte tags that have a length (wire type 2), as far as they are whole.</summary>
    private static List<Field> Fields(byte[] input)
    {
        var fields = new List<Field>();
        for (var at = 0; at < input.Length && (input[at] & 0x87) == 2;)
        {
            var (start, length, shift) = (at++, 0L, 0);
            do
            {
                if (at == input.Length || shift > 28) return fields;
                length |= (long)(input[at] & 0x7F) << shift;
                shift += 7;
            }
            while (input[at++] >= 0x80);
            if (length > input.Length - at) return fields;
            fields.Add(new(start, at, at += (int)length));
        }
        return fields;
    }

    public static byte[] Varint(int value)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80; value >>= 7) bytes.Add((byte)(value | 0x80));
        return [.. bytes, (byte)value];
    }
}
