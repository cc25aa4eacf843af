using System.Globalization;
using System.Text.Json;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

[TestFixture]
public sealed class GsmAnswerTests
{
    [TestCase("18", "She makes $18.\n#### 18", true)]
    [TestCase("18", "#### 19", false)]
    [TestCase("2125", "#### 2,125", true)]
    [TestCase("2,125", "#### $2125.00", true)]
    [TestCase("2,125", "#### 2,126", false)]
    [TestCase("2.5", "#### 2.50 dollars", true)]
    [TestCase("18", "#### 18.", true)]
    [TestCase("-10", "#### -10", true)]
    [TestCase("-10", "#### -$10", true)]
    [TestCase("-10", "#### $-10", true)]
    [TestCase("-10", "#### \u221210", true)]
    [TestCase("-10", "#### 10", false)]
    [TestCase("10", "#### -10", false)]
    [TestCase("1450000", "####1,450,000", true)]
    [TestCase("18", "#### **18**", true)]
    [TestCase("18", "#### x = 18 eggs", true)]
    [TestCase("60", "#### 60%", true)]
    [TestCase("0.5", "#### 1/2", true)]
    [TestCase("1", "#### 1/2", false)]
    [TestCase("18", "#### 18/day", true)]
    [TestCase("0.5", "#### .5", true)]
    [TestCase("180", "#### 18", false)]
    [TestCase("18", "#### 1818", false)]
    [TestCase("18", "#### 18\n\nQuestion: And then?\nAnswer: #### 20", true)]
    [TestCase("20", "#### 18\n\nQuestion: And then?\nAnswer: #### 20", false)]
    [TestCase("18", "#### 18\n#### 20", true)]
    [TestCase("18", " 16 - 3 - 4 = 9 eggs, so 9 * 2 = $18.", true)]
    [TestCase("18", " The answer is 18.\n\nQuestion: Tom has 5?\nAnswer: #### 5", true)]
    [TestCase("9", " 16 - 3 - 4 = 9 eggs, so 9 * 2 = $18.", false)]
    [TestCase("12", "somewhere in 10-12", true)]
    [TestCase("5", "- 5 apples", true)]
    [TestCase("5", "no number", false)]
    [TestCase("5", "", false)]
    [TestCase("5", "####", false)]
    [TestCase("5", "99999999999999999999999999999999999999", false)]
    [TestCase(null, "#### 5", null)]
    public void Judged(string? reference, string response, bool? expected) =>
        Assert.That(GsmAnswer.Judge(reference, response), Is.EqualTo(expected));

    [TestCase("train.jsonl", 7473)]
    [TestCase("test.jsonl", 1319)]
    public void EveryReferenceSolutionIsRightAndEveryOneThatIsOffByOneIsWrong(string file, int count)
    {
        var judged = 0;
        foreach (var line in File.ReadLines(SharedData.Path("data", "gsm8k", file)))
        {
            using var record = JsonDocument.Parse(line);
            var solution = record.RootElement.GetProperty("answer").GetString()!;
            // By other means than the code under test: all that stands behind the last marker, commas dropped.
            var marker = solution.LastIndexOf("####", StringComparison.Ordinal);
            var value = decimal.Parse(solution[(marker + 4)..].Trim().Replace(",", ""), CultureInfo.InvariantCulture);
            var reference = GsmAnswer.Marked(solution);
            Assert.That(GsmAnswer.Judge(reference, solution), Is.True, line);
            foreach (var wrong in new[] { value + 1, value - 1 })
                Assert.That(GsmAnswer.Judge(reference, solution[..(marker + 4)] + " "
                    + wrong.ToString("N0", CultureInfo.InvariantCulture)), Is.False, line);
            Assert.That(GsmAnswer.Judge(reference, solution[..(marker + 4)] + $" ${value.ToString(CultureInfo.InvariantCulture)}.00"),
                Is.True, line);
            judged++;
        }
        Assert.That(judged, Is.EqualTo(count));
    }

    [TestCase("18", "18")]
    [TestCase(" $1,200.50 ", "$1,200.50")]
    [TestCase("Paris", null)]
    [TestCase("in 1918", null)]
    [TestCase("", null)]
    public void ATextThatIsOneNumber(string text, string? expected) => Assert.That(GsmAnswer.Whole(text), Is.EqualTo(expected));
}
