using System.Runtime.InteropServices;
using System.Text;
using Harness.Models.Llama.Generation;

namespace Harness.Running;

/// <summary>What came of one sequence; times in seconds on the run's clock.</summary>
internal sealed record SequenceReport(int Number, FinishReason Finish, int[] Output, double[] TokenSeconds);

/// <summary>What a replica's first rank tells rank 0 of one finished batch; times in seconds on the run's clock.</summary>
internal sealed record BatchReport(int Repeat, int Replica, int Batch, double StartSeconds, double EndSeconds, SequenceReport[] Sequences, StepReport[] Steps)
{
    public byte[] Serialize()
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream, Encoding.UTF8);
        writer.Write(Repeat);
        writer.Write(Replica);
        writer.Write(Batch);
        writer.Write(StartSeconds);
        writer.Write(EndSeconds);
        writer.Write(Sequences.Length);
        foreach (var sequence in Sequences)
        {
            writer.Write(sequence.Number);
            writer.Write((byte)sequence.Finish);
            Write(writer, sequence.Output);
            Write(writer, sequence.TokenSeconds);
        }
        writer.Write(Steps.Length);
        foreach (var step in Steps)
        {
            writer.Write((byte)step.Kind);
            writer.Write(step.MicroBatch);
            writer.Write(step.StartSeconds);
            writer.Write(step.EndSeconds);
            Write(writer, step.Shares);
        }
        return stream.ToArray();
    }

    public static BatchReport Deserialize(byte[] bytes)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        return new(reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadDouble(), reader.ReadDouble(),
            Many(reader, r => new SequenceReport(r.ReadInt32(), (FinishReason)r.ReadByte(), Read<int>(r), Read<double>(r))),
            Many(reader, r => new StepReport((StepKind)r.ReadByte(), r.ReadInt32(), r.ReadDouble(), r.ReadDouble(), Read<StepShare>(r))));
    }

    private static void Write<T>(BinaryWriter writer, T[] values) where T : unmanaged
    {
        writer.Write(values.Length);
        writer.Write(MemoryMarshal.AsBytes(values.AsSpan()));
    }

    private static T[] Read<T>(BinaryReader reader) where T : unmanaged
    {
        var values = new T[reader.ReadInt32()];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan()));
        return values;
    }

    private static T[] Many<T>(BinaryReader reader, Func<BinaryReader, T> read)
    {
        var values = new T[reader.ReadInt32()];
        for (var i = 0; i < values.Length; i++) values[i] = read(reader);
        return values;
    }
}

/// <summary>A <see cref="Step"/> on the run's clock.</summary>
internal sealed record StepReport(StepKind Kind, int MicroBatch, double StartSeconds, double EndSeconds, StepShare[] Shares);
