using System.Diagnostics;

namespace Harness.Sharding.Launch;

/// <summary>
/// A stretch of work that every rank does at its own pace, until the last has ended it. Meanwhile ranks tell each other that they live, so
/// that one that waits for others is told from one whose peers have died; and that one was told to stop, so that all do. Every rank of the
/// world makes it together. A rank speaks to rank 0 alone, and rank 0 to each.
/// </summary>
/// <param name="stopRequested">Whether this rank was told to stop.</param>
/// <param name="signOfLife">
/// Called while work goes on that this rank does or waits for; on rank 0 only once every rank that has not ended was heard since the last.
/// </param>
/// <param name="beat">How often ranks speak, at most.</param>
/// <param name="atEachBeat">What else is to be done as often, while working and while waiting.</param>
public sealed class JointStage(ICommunicator world, Func<bool> stopRequested, Action signOfLife, TimeSpan beat, Action? atEachBeat = null)
{
    private const int UpTag = 97, DownTag = 98;

    private enum Word : byte { Alive, Stop, Ended, EndedEarly }

    private readonly HashSet<int> _atWork = [.. Enumerable.Range(1, world.Size - 1)];
    private readonly HashSet<int> _heard = [];
    private long _beaten = Stopwatch.GetTimestamp();
    private bool _othersStop, _saidStop, _anyEndedEarly;

    /// <summary>Whether any rank was told to stop, as far as this one has heard.</summary>
    public bool IsToStop => _othersStop || stopRequested();

    /// <summary>This rank's work goes on: cheap enough for every step.</summary>
    public void Alive()
    {
        if (world.Rank > 0 || world.Size == 1) signOfLife();
        Beat();
    }

    /// <summary>Waits until every rank has ended its work.</summary>
    /// <param name="early">Whether this rank gave up some of its own.</param>
    /// <returns>Whether any did; equal on every rank.</returns>
    public bool End(bool early)
    {
        _anyEndedEarly = early;
        if (world.Rank > 0) return EndBelow();
        _othersStop |= early;
        Listen();
        for (var wait = new SpinWait(); _atWork.Count > 0; wait.SpinOnce())
        {
            Listen();
            Beat();
        }
        for (var rank = 1; rank < world.Size; rank++) Say(_anyEndedEarly ? Word.EndedEarly : Word.Ended, rank, DownTag);
        return _anyEndedEarly;
    }

    /// <summary>Until rank 0 says that all have ended.</summary>
    private bool EndBelow()
    {
        Say(_anyEndedEarly ? Word.EndedEarly : Word.Ended, 0, UpTag);
        for (var wait = new SpinWait(); ; wait.SpinOnce())
        {
            while (Hear(0, DownTag) is { } word)
            {
                signOfLife();
                if (word >= Word.Ended) return word == Word.EndedEarly;
            }
            if (IsTime()) atEachBeat?.Invoke();
        }
    }

    private void Beat()
    {
        if (!IsTime()) return;
        if (world.Rank > 0) SpeakUp();
        else
        {
            Listen();
            SpeakDown();
        }
        atEachBeat?.Invoke();
    }

    private bool IsTime()
    {
        var now = Stopwatch.GetTimestamp();
        if (Stopwatch.GetElapsedTime(_beaten, now) < beat) return false;
        _beaten = now;
        return true;
    }

    private void SpeakUp()
    {
        Say(stopRequested() ? Word.Stop : Word.Alive, 0, UpTag);
        while (Hear(0, DownTag) is { } word) _othersStop |= word == Word.Stop;
    }

    /// <summary>To ranks that wait: rank 0 lives. To those at work only what they must know.</summary>
    private void SpeakDown()
    {
        for (var rank = 1; rank < world.Size; rank++)
            if (!_atWork.Contains(rank)) Say(Word.Alive, rank, DownTag);
            else if (IsToStop && !_saidStop) Say(Word.Stop, rank, DownTag);
        _saidStop |= IsToStop;
    }

    private void Listen()
    {
        foreach (var rank in _atWork.ToArray())
            while (_atWork.Contains(rank) && Hear(rank, UpTag) is { } word)
            {
                _heard.Add(rank);
                _othersStop |= word is Word.Stop or Word.EndedEarly;
                _anyEndedEarly |= word == Word.EndedEarly;
                if (word >= Word.Ended) _atWork.Remove(rank);
            }
        if (!_atWork.IsSubsetOf(_heard)) return;
        _heard.Clear();
        signOfLife();
    }

    private void Say(Word word, int rank, int tag) => world.Send([(byte)word], rank, tag);

    /// <summary>The oldest word that waits; null where none does.</summary>
    private Word? Hear(int rank, int tag)
    {
        if (!world.Probe(rank, tag)) return null;
        Span<byte> word = [0];
        world.Receive(word, rank, tag);
        return (Word)word[0];
    }
}
