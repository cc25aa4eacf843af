using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Harness.Common;
using Harness.Models.Llama.Generation;

namespace Harness.Running;

/// <summary>What came of one sequence; times in seconds on the run's clock.</summary>
/// <param name="StartSeconds">When its clock began.</param>
/// <param name="QueueSeconds">From its arrival until it got a slot; null where requests do not arrive.</param>
internal sealed record SequenceReport(int Number, FinishReason Finish, double StartSeconds, double? QueueSeconds, int[] Output,
    double[] TokenSeconds);

/// <summary>
/// What a replica's first rank tells rank 0 of what was finished since the last report; times in seconds on the run's clock.
/// </summary>
/// <param name="Pass">Of the repeat over the prompts, from 0.</param>
/// <param name="Batch">The batch, or the report's own number under continuous batching.</param>
/// <param name="EndSeconds">When everything in it had been done.</param>
/// <param name="Sequences">None in the last report of work that was given up.</param>
/// <param name="Steps">All since the last report, those of sequences that go on included.</param>
internal sealed record BatchReport(int Repeat, int Pass, int Replica, int Batch, double EndSeconds, SequenceReport[] Sequences,
    StepReport[] Steps)
{
    public bool HasFinished => Sequences.Length > 0;

    public byte[] Serialize()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Repeat);
        writer.Write(Pass);
        writer.Write(Replica);
        writer.Write(Batch);
        writer.Write(EndSeconds);
        writer.Write(Sequences.Length);
        foreach (var sequence in Sequences)
        {
            writer.Write(sequence.Number);
            writer.Write((byte)sequence.Finish);
            writer.Write(sequence.StartSeconds);
            writer.Write(sequence.QueueSeconds ?? double.NaN);
            Write(writer, sequence.Output);
            Write(writer, sequence.TokenSeconds);
        }
        writer.Write(Steps.Length);
        foreach (var step in Steps)
        {
            writer.Write(step.MicroBatch);
            writer.Write(step.StartSeconds);
            writer.Write(step.EndSeconds);
            Write(writer, step.Shares);
        }
        return stream.ToArray();
    }

    public static BatchReport Deserialize(byte[] bytes)
    {
        try
        {
            return Read(new BinaryReader(new MemoryStream(bytes)));
        }
        catch (EndOfStreamException e)
        {
            throw new UserErrorException($"a finished batch of {bytes.Length} bytes is not as this version of harness writes it; continue "
                + "the run with the version that began it, or begin anew with --fresh", e);
        }
    }

    private static BatchReport Read(BinaryReader reader) =>
        new(reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadDouble(),
            Many(reader, r => new SequenceReport(r.ReadInt32(), (FinishReason)r.ReadByte(), r.ReadDouble(), ReadNumber(r), Read<int>(r),
                Read<double>(r))),
            Many(reader, r => new StepReport(r.ReadInt32(), r.ReadDouble(), r.ReadDouble(), Read<StepShare>(r))));

    private static double? ReadNumber(BinaryReader reader) => reader.ReadDouble() is var number && double.IsNaN(number) ? null : number;

    private static void Write<T>(BinaryWriter writer, T[] values) where T : unmanaged
    {
        writer.Write(values.Length);
        writer.Write(MemoryMarshal.AsBytes(values.AsSpan()));
    }

    private static T[] Read<T>(BinaryReader reader) where T : unmanaged
    {
        var values = new T[Count(reader, Unsafe.SizeOf<T>())];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    /// <summary>A length that what is left can hold.</summary>
    /// <param name="bytesEach">At least.</param>
    private static int Count(BinaryReader reader, int bytesEach)
    {
        var left = reader.BaseStream.Length - reader.BaseStream.Position;
        return left >= sizeof(int) && reader.ReadInt32() is >= 0 and var count && (long)count * bytesEach <= left - sizeof(int) ? count
            : throw new EndOfStreamException();
    }

    private static T[] Many<T>(BinaryReader reader, Func<BinaryReader, T> read)
    {
        var values = new T[Count(reader, bytesEach: 1)];
        for (var i = 0; i < values.Length; i++) values[i] = read(reader);
        return values;
    }
}

/// <summary>A <see cref="Step"/> on the run's clock.</summary>
internal sealed record StepReport(int MicroBatch, double StartSeconds, double EndSeconds, StepShare[] Shares)
{
    public StepKind Kind => Step.KindOf(Shares);
}
