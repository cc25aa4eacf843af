namespace Harness.Common;

/// <summary>Tells the person who waits how far work is. Of a job's ranks the first one has one that speaks.</summary>
public interface IProgressReporter
{
    /// <summary>One line, at once: <c>loading 13 shards</c>.</summary>
    void Note(string line);

    /// <summary>Begins a stage of so much work; disposing ends it. Stages do not overlap.</summary>
    IStageProgress Begin(string stage, StageUnit unit, double total);
}

/// <summary>Takes reports from the threads that work, and never makes them wait for a terminal.</summary>
public interface IStageProgress : IProgress<StageProgress>, IDisposable;

/// <param name="Done">Since the stage began; a fraction stands for what is under way, so that a bar moves within a batch.</param>
/// <param name="Worked">Since the stage began: what its rate is of.</param>
public readonly record struct StageProgress(double Done, double Worked)
{
    /// <summary>The rate is of the same as is counted.</summary>
    public static StageProgress Of(double done) => new(done, done);
}

/// <summary>What a stage counts, and how that is said.</summary>
/// <param name="Noun">Of what is done.</param>
/// <param name="RateNoun">Of what is worked.</param>
/// <param name="Scale">Of one that is said: 10⁹ where bytes are counted.</param>
/// <param name="Patience">Nothing is said of a stage that ends earlier.</param>
public sealed record StageUnit(string Noun, string RateNoun, double Scale, TimeSpan Patience)
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    public static StageUnit Answers { get; } = new("prompts", "tokens", 1, TimeSpan.Zero);
    public static StageUnit Prompts { get; } = new("prompts", "prompts", 1, s_patience);
    public static StageUnit Bytes { get; } = new("GB", "GB", 1e9, s_patience);
    public static StageUnit Runs { get; } = new("runs", "runs", 1, s_patience);

    /// <summary>As <c>16 of 64 prompts</c>, <c>1.5 of 140.0 GB</c>.</summary>
    public string Count(double done, double total) => $"{Amount(done)} of {Amount(total)} {Noun}";

    /// <summary>The same in a bar's few columns.</summary>
    public string ShortCount(double done, double total) =>
        Scale > 1 ? $"{Amount(done)}/{Amount(total)} {Noun}" : $"{Amount(done)}/{Amount(total)}";

    public string Rate(double? perSecond) => $"{Figures.Significant(perSecond / Scale)} {RateNoun}/s";

    private string Amount(double amount) => Scale > 1 ? FormattableString.Invariant($"{amount / Scale:F1}")
        : FormattableString.Invariant($"{Math.Floor(amount)}");
}
