using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Harness.Common;
using Harness.Energy.Accounting;
using Harness.Runs.Pieces;

namespace Harness.Running;

/// <summary>What came of one sequence; times in seconds on the run's clock.</summary>
/// <param name="Number">Its place in the workload.</param>
/// <param name="ReachedEndOfText">False: it ended at its number of tokens.</param>
/// <param name="StartSeconds">When its clock began.</param>
/// <param name="QueueSeconds">From its arrival until it got a slot; null where requests do not arrive.</param>
/// <param name="Output">None of a turn for which the conversation had no room any more.</param>
/// <param name="PromptTokens">Of a later turn of a conversation, which nobody knows before it is asked.</param>
/// <param name="CachedTokens">Of these, those whose keys and values were there already.</param>
internal sealed record SequenceReport(int Number, bool ReachedEndOfText, double StartSeconds, double? QueueSeconds, int[] Output,
    double[] TokenSeconds, int PromptTokens = 0, int CachedTokens = 0);

/// <summary>
/// What a replica's first rank tells rank 0 of what was finished since the last report; times in seconds on the run's clock.
/// </summary>
/// <param name="Pass">Of the repeat over the prompts, from 0.</param>
/// <param name="Batch">The batch, or the report's own number under continuous batching.</param>
/// <param name="EndSeconds">When everything in it had been done.</param>
/// <param name="Sequences">None in the last report of work that was given up.</param>
/// <param name="Steps">
/// All since the last report, those of sequences that go on included. Their rows are places in the workload, since rows of prompts.csv are
/// rank 0's to number.
/// </param>
internal sealed record BatchReport(int Repeat, int Pass, int Replica, int Batch, double EndSeconds, SequenceReport[] Sequences,
    Step[] Steps)
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
            writer.Write(sequence.ReachedEndOfText);
            writer.Write(sequence.StartSeconds);
            writer.Write(sequence.QueueSeconds ?? double.NaN);
            Write(writer, sequence.Output);
            Write(writer, sequence.TokenSeconds);
            writer.Write(sequence.PromptTokens);
            writer.Write(sequence.CachedTokens);
        }
        Write(writer, JsonSerializer.SerializeToUtf8Bytes(Steps, JsonRows.Line));
        return stream.ToArray();
    }

    /// <summary>Those of a start's journal, read as they are asked for.</summary>
    /// <exception cref="UserErrorException">One is whole, but not what this version writes.</exception>
    public static IEnumerable<BatchReport> In(string startDirectory) => Read(startDirectory, Deserialize);

    /// <summary>The same without their steps, which take most of the time.</summary>
    /// <inheritdoc cref="In"/>
    public static IEnumerable<BatchReport> SequencesIn(string startDirectory) =>
        Read(startDirectory, bytes => Deserialize(bytes, _ => []));

    private static IEnumerable<BatchReport> Read(string startDirectory, Func<byte[], BatchReport> deserialize) =>
        StartJournal.Batches(startDirectory).Select(bytes =>
        {
            try { return deserialize(bytes); }
            catch (Exception e) when (e is EndOfStreamException or JsonException) { throw StartJournal.Unknown(startDirectory, e); }
        });

    public static BatchReport Deserialize(byte[] bytes) => Deserialize(bytes, ReadSteps);

    private static BatchReport Deserialize(byte[] bytes, Func<BinaryReader, Step[]> steps)
    {
        using var reader = new BinaryReader(new MemoryStream(bytes));
        return new(reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadInt32(), reader.ReadDouble(),
            Many(reader, r => new SequenceReport(r.ReadInt32(), r.ReadBoolean(), r.ReadDouble(), ReadNumber(r), Read<int>(r),
                Read<double>(r), r.ReadInt32(), r.ReadInt32())),
            steps(reader));
    }

    private static Step[] ReadSteps(BinaryReader reader) =>
        JsonSerializer.Deserialize<Step[]>(Read<byte>(reader), JsonRows.Line) is { } steps
            && Array.TrueForAll(steps, step => step is { Rows: not null }) ? steps : throw new JsonException("null is no step");

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

    /// <param name="bytes">That one takes at least.</param>
    private static int Count(BinaryReader reader, int bytes) => reader.ReadInt32() is var count and >= 0
        && count <= (reader.BaseStream.Length - reader.BaseStream.Position) / bytes ? count : throw new EndOfStreamException();

    private static T[] Many<T>(BinaryReader reader, Func<BinaryReader, T> read)
    {
        var values = new T[Count(reader, 1)];
        for (var i = 0; i < values.Length; i++) values[i] = read(reader);
        return values;
    }
}
