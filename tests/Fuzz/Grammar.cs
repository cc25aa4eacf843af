using Harness.Common;

namespace Harness.Fuzz;

/// <summary>Makes another input of one. The bytes that are given stay as they are.</summary>
/// <param name="input">To be changed.</param>
/// <param name="other">Another input of the same target, to take parts from.</param>
internal delegate byte[] Mutation(byte[] input, byte[] other, SplitMix64 random);

/// <summary>The changes that suit a kind of file, each as likely as the others; one that stands there twice is twice as likely.</summary>
internal sealed record Grammar(params Mutation[] Mutations)
{
    private const int MostAtOnce = 4;

    public static Grammar Json { get; } = new(JsonMutations.Change, JsonMutations.Change, JsonMutations.Change, ByteMutations.Change);
    public static Grammar Csv { get; } = new(CsvMutations.Change, CsvMutations.Change, CsvMutations.Change, ByteMutations.Change);
    public static Grammar Text { get; } = new(CsvMutations.ChangeLines, ByteMutations.Change);
    public static Grammar Bytes { get; } = new(ByteMutations.Change);
    public static Grammar Protobuf { get; } = new(ProtobufMutations.Change, ProtobufMutations.Change, ByteMutations.Change);
    public static Grammar SafeTensors { get; } = new(FramedMutations.ChangeHeader, FramedMutations.ChangeHeader, ByteMutations.Change);
    public static Grammar Parquet { get; } = new(FramedMutations.ChangeFooter, FramedMutations.ChangeFooter, ByteMutations.Change);
    public static Grammar BatchJournal { get; } = new(FramedMutations.ChangeEntry, FramedMutations.ChangeEntry, ByteMutations.Change);
    public static Grammar JsonThenCsv { get; } = new(JsonMutations.Change, CsvMutations.Change, ByteMutations.Change);

    /// <summary>One to four changes, one on the other: most mistakes are single, some parsers break on two that belong together.</summary>
    /// <param name="most">Bytes: what grows longer is cut there.</param>
    public byte[] Mutate(byte[] input, byte[] other, int most, SplitMix64 random)
    {
        for (var left = 1 + random.Index(MostAtOnce); left > 0; left--)
            input = random.Of(Mutations)(input, other, random);
        return input.Length <= most ? input : input[..most];
    }
}

internal static class Draws
{
    /// <summary>From 0 to below the bound; 0 where that is 0.</summary>
    public static int Index(this SplitMix64 random, int bound) => bound <= 1 ? 0 : (int)random.Below((ulong)bound);

    public static T Of<T>(this SplitMix64 random, IReadOnlyList<T> values) => values[random.Index(values.Count)];
}
