namespace Harness.Runs;

/// <summary>How far a run came: the values of the column <c>status</c>.</summary>
public static class RunStatus
{
    /// <summary>Every prompt of every repeat has its row.</summary>
    public const string Complete = "complete";

    /// <summary>Ended early, in order, by a signal or a time limit.</summary>
    public const string Interrupted = "interrupted";

    /// <summary>Still going on, or ended without a word: there is no <c>summary.csv</c>.</summary>
    public const string Incomplete = "incomplete";

    /// <summary>Not measured: the devices did not take the power setting.</summary>
    public const string Skipped = "skipped";
}
