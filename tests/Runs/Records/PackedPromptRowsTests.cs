using Harness.Runs.Records;

namespace Harness.Tests.Runs.Records;

public class PackedPromptRowsTests
{
    [Test]
    public void RowsComeOutAsTheyWentIn()
    {
        List<PromptRecord> rows = [.. Enumerable.Range(0, 3000).Select(i => new PromptRecord
        {
            RunId = "run",
            Repeat = 1 + i / 1000,
            Dataset = i % 2 == 0 ? "a" : "b",
            PromptIndex = i,
            BatchIndex = i % 5 == 0 ? null : i / 8,
            InputTokens = 10 + i,
            OutputTokens = 20 + i,
            OutputWords = 3 + i,
            FinishReason = i % 3 == 0 ? FinishReason.Eos : FinishReason.ContextLength,
            TtftSeconds = i % 7 == 0 ? null : 0.1 * i,
            TpotSeconds = i % 11 == 0 ? null : 0.01 * i,
            LatencySeconds = i % 7 == 0 ? null : i,
            Correct = i % 3 == 0 ? null : i % 3 == 1,
            Valid = i % 2 == 0,
            InvalidReasons = i % 4 == 0 ? null : "no_meter",
            Category = i % 6 == 0 ? null : $"c{i % 3}",
            StartSeconds = i % 13 == 0 ? null : -i,
            QueueSeconds = i % 17 == 0 ? null : 0,
            Piece = 1 + i / 2000,
            ItlP99Seconds = i % 19 == 0 ? null : 0.02 * i,
        })];
        var packed = new PackedPromptRows();
        packed.AddRange(rows.Take(1500));
        packed.AddRange(rows.Skip(1500));
        Assert.That(packed.Count, Is.EqualTo(rows.Count));
        Assert.That(packed, Is.EqualTo(rows));
        Assert.That(packed[2999], Is.EqualTo(rows[2999]));
        Assert.That(() => packed[3000], Throws.InstanceOf<ArgumentOutOfRangeException>());
        Assert.That(() => packed.AddRange([rows[0] with { EnergyJoules = 1 }]), Throws.ArgumentException);
    }
}
