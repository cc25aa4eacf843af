using System.Buffers.Binary;

namespace Harness.Models.Llama.Tokenizers;

/// <summary>
/// The protobuf wire format (https://protobuf.dev/programming-guides/encoding/), as much as reading one message takes.
/// A message that is not well formed throws <see cref="FormatException"/> naming the byte.
/// </summary>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message, int offset = 0)
{
    private const int VarintType = 0, Fixed64Type = 1, LengthType = 2, Fixed32Type = 5;

    private readonly ReadOnlySpan<byte> message = message;
    private int at;
    private int wireType;

    /// <summary>The number of the field whose value comes next.</summary>
    public int Field { get; private set; }

    /// <summary>Moves to the next field; false at the end of the message. Its value must be read or skipped before.</summary>
    public bool Next()
    {
        if (at == message.Length) return false;
        var tag = RawVarint();
        wireType = (int)(tag & 7);
        if (tag >> 3 is 0 or > 536_870_911) throw Malformed($"the field number {tag >> 3}");
        Field = (int)(tag >> 3);
        return true;
    }

    public ulong Varint()
    {
        Expect(VarintType);
        return RawVarint();
    }

    public bool Bool() => Varint() != 0;

    public float Float()
    {
        Expect(Fixed32Type);
        return BinaryPrimitives.ReadSingleLittleEndian(Take(4));
    }

    public ReadOnlySpan<byte> Bytes()
    {
        Expect(LengthType);
        var length = RawVarint();
        return Take(length > int.MaxValue ? int.MaxValue : (int)length);
    }

    public string String() => System.Text.Encoding.UTF8.GetString(Bytes());

    public ProtobufReader Message()
    {
        var bytes = Bytes();
        return new ProtobufReader(bytes, offset + at - bytes.Length);
    }

    public void Skip()
    {
        switch (wireType)
        {
            case VarintType: RawVarint(); break;
            case Fixed64Type: Take(8); break;
            case LengthType: Bytes(); break;
            case Fixed32Type: Take(4); break;
            default: throw Malformed($"the wire type {wireType} of field {Field}");
        }
    }

    private ulong RawVarint()
    {
        ulong value = 0;
        for (var shift = 0; shift < 64; shift += 7)
        {
            var next = Take(1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }
        throw Malformed("a number of more than 64 bits");
    }

    private ReadOnlySpan<byte> Take(int length)
    {
        if (length > message.Length - at)
            throw new FormatException($"the data end inside field {Field}, at byte {offset + message.Length}");
        at += length;
        return message.Slice(at - length, length);
    }

    private readonly void Expect(int type)
    {
        if (wireType != type) throw Malformed($"the wire type {wireType} of field {Field}");
    }

    private readonly FormatException Malformed(string what) => new($"{what} at byte {offset + at} is not valid");
}
