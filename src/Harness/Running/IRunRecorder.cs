using Harness.Energy.Accounting;
using Harness.Runs.Accounting;
using Harness.Runs.Records;

namespace Harness.Running;

/// <summary>
/// What is written down of a run. Rank 0 has one that does (<see cref="RunFiles"/>); the other ranks' are silent, and know nothing.
/// </summary>
internal interface IRunRecorder : IDisposable
{
    /// <summary>A window that begins or has ended.</summary>
    void Record(EnergyWindow window);

    /// <exception cref="Harness.Common.UserErrorException">An earlier start of the run computed on a device of another kind.</exception>
    void CheckDevice(string device);

    /// <summary>Prompts that do not fit the context have a row in every repeat, and count as failed.</summary>
    void BeginRepeat(int repeat);

    /// <summary>What was finished just now.</summary>
    void Take(BatchReport report);

    /// <summary>Seconds that earlier starts measured of a repeat.</summary>
    double EarlierSeconds(int repeat);

    /// <summary>Joules per output token of the first repeats, each with all its pieces; null where they are not known.</summary>
    /// <param name="evidence">Of this piece so far; null: nothing is measured yet.</param>
    IReadOnlyList<double?>? JoulesPerToken(EnergyEvidence? evidence, int repeats);

    /// <summary>The power setting cannot be made.</summary>
    /// <returns>Finished answers of earlier starts, which stay.</returns>
    int Refuse(string why);

    /// <summary>Every file that is not written yet.</summary>
    /// <param name="torn">The repeat that was given up, if one was.</param>
    void Finish(EnergyEvidence evidence, IReadOnlyList<RankRecord> ranks, int? torn);

    /// <summary>The run cannot go on. One that has finished nothing leaves nothing; else what it has stays, and says why.</summary>
    void Fail(string why);
}

/// <summary>Every rank's but rank 0's.</summary>
internal sealed class SilentRecorder : IRunRecorder
{
    public void Record(EnergyWindow window)
    {
    }

    public void CheckDevice(string device)
    {
    }

    public void BeginRepeat(int repeat)
    {
    }

    public void Take(BatchReport report)
    {
    }

    public double EarlierSeconds(int repeat) => 0;

    public IReadOnlyList<double?>? JoulesPerToken(EnergyEvidence? evidence, int repeats) => null;

    public int Refuse(string why) => 0;

    public void Finish(EnergyEvidence evidence, IReadOnlyList<RankRecord> ranks, int? torn)
    {
    }

    public void Fail(string why)
    {
    }

    public void Dispose()
    {
    }
}
