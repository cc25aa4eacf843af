using System.Text.Json.Nodes;
using Harness.Reports.Publishing;

namespace Harness.Tests.Reports.Publishing;

/// <summary>A report's page as its reader has it: the data that it holds.</summary>
internal sealed class Page(string html)
{
    private const string Begin = "<script id=\"data\" type=\"application/json\">";

    public string Html => html;

    public JsonNode Data { get; } = JsonNode.Parse(html.Split(Begin)[1].Split("</script>")[0])!;

    public static Page Of(ScratchDirectory scratch, params string[] below)
    {
        var log = new StringWriter();
        Assert.That(new Report(TextWriter.Null, log)
            .Write(below.Length > 0 ? below : [scratch.Path], new(scratch["report.html"], null, null)), Is.Zero, log.ToString());
        return new(File.ReadAllText(scratch["report.html"]));
    }

    public JsonNode Figure(string id) => Data["figures"]!.AsArray().Single(figure => (string)figure!["id"]! == id)!;

    /// <summary>x and y of each point, by the label of its line.</summary>
    public Dictionary<string, (double X, double Y)[]> Lines(string id) => Figure(id)["series"]!.AsArray().ToDictionary(
        series => (string)series!["label"]!,
        series => series!["points"]!.AsArray().Select(p => ((double)p!["x"]!, (double)p["y"]!)).ToArray());

    public JsonNode Run(string label) => Data["runs"]!.AsArray().Single(run => (string)run!["label"]! == label)!;

    /// <summary>A column of summary.csv.</summary>
    public JsonNode? Value(string label, string column) =>
        Run(label)["values"]![Data["columns"]!.AsArray().Select(c => (string)c!["name"]!).ToList().IndexOf(column)];
}
