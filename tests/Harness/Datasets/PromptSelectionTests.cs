using Harness.Common;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class PromptSelectionTests
{
    [Test]
    public void TheGeneratorIsSplitMix64()
    {
        // Published output of splitmix64.c for the seed 1234567.
        var random = new SplitMix64(1234567);
        Assert.That(
            Enumerable.Range(0, 5).Select(_ => random.Next()),
            Is.EqualTo(new ulong[] { 6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431,
                16408922859458223821 }));
    }

    // Computed by a Python program from the definition in words: SplitMix64, multiply-high with rejection, Fisher–Yates from the front.
    [TestCase(52002, 8, 42, new[] { 38562, 8316, 14489, 17900, 1981, 45150, 11362, 41635 })]
    [TestCase(1319, 8, 42, new[] { 978, 211, 368, 455, 54, 1145, 292, 1057 })]
    [TestCase(10, 10, -1, new[] { 8, 9, 3, 5, 0, 1, 2, 7, 6, 4 })]
    [TestCase(10, 10, 0, new[] { 8, 4, 2, 9, 1, 6, 5, 3, 0, 7 })]
    public void ASeedGivesTheSameSubsetEverywhere(int count, int limit, long seed, int[] expected) =>
        Assert.That(PromptSelection.Select(Enumerable.Range(0, count), limit, seed), Is.EqualTo(expected));

    [Test]
    public void ASmallerLimitIsAPrefix()
    {
        var all = PromptSelection.Select(Enumerable.Range(0, 1000), null, 9);
        Assert.That(PromptSelection.Select(Enumerable.Range(0, 1000), 100, 9), Is.EqualTo(all.Take(100)));
        Assert.That(all.Order(), Is.EqualTo(Enumerable.Range(0, 1000)));
    }

    [Test]
    public void WithoutASeedTheOrderIsTheFilesAndNoMoreIsReadThanNeeded()
    {
        static IEnumerable<int> Records()
        {
            yield return 5;
            yield return 3;
            throw new InvalidOperationException("read past the limit");
        }
        Assert.That(PromptSelection.Select(Records(), 2, null), Is.EqualTo(new[] { 5, 3 }));
    }

    [Test]
    public void ALimitBeyondTheFileTakesAll() =>
        Assert.That(PromptSelection.Select([1, 2, 3], 10, 4), Is.EquivalentTo(new[] { 1, 2, 3 }));

    [Test]
    public void ALimitOfNothingIsRefused() =>
        Assert.That(() => PromptSelection.Select([1], 0, null), Throws.TypeOf<UserErrorException>().With.Message.Contains("limit is 0"));
}
