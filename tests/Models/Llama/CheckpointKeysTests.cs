using System.Text.Json;
using Harness.Common;
using Harness.Models.Llama.Configuration;

namespace Harness.Tests.Models.Llama;

/// <summary>The table of keys: what it does with one, and that the documentation has the same.</summary>
internal sealed class CheckpointKeysTests
{
    private static readonly KeyRules s_keys = new("x.json",
    [
        new("used", KeyTreatment.Used, ""),
        new("refused", KeyTreatment.Refused, "supported: one, 2", "one", "2"),
        new("harmless", KeyTreatment.Harmless, ""),
        new("named", KeyTreatment.Named, "the run says it"),
        new("alike", KeyTreatment.Named, "the run says it"),
    ],
    ["norm"]);

    [TestCase("{}")]
    [TestCase("{\"used\": 7, \"harmless\": [1], \"refused\": \"one\"}")]
    [TestCase("{\"refused\": 2}")]
    [TestCase("{\"refused\": false, \"named\": null, \"qk_norm\": false, \"unknown\": []}")]
    [TestCase("{\"refused\": {}, \"named\": 1.0, \"norm_scale\": 1, \"unknown\": \"\"}")]
    [TestCase("[1]")]
    public void WhatIsOffOrAllowedPasses(string json) => Assert.That(Check(json), Is.Empty);

    [Test]
    public void WhatIsNotFollowedIsNamedOnceForEachReason() =>
        Assert.That(Check("{\"named\": 3, \"b\": 1, \"alike\": true, \"a\": {\"c\": 2}}"), Is.EqualTo(new[]
    {
        "f: not followed: named, alike; the run says it",
        "f: not followed: b, a; not known here",
    }));

    [TestCase("{\"refused\": \"three\"}", "f: refused = three cannot be honoured; supported: one, 2")]
    [TestCase("{\"refused\": true}", "f: refused = True cannot be honoured; supported: one, 2")]
    [TestCase("{\"use_QK_Norm\": true}",
        "f: use_QK_Norm = True cannot be honoured; its name belongs to what a model computes, and nothing here reads it")]
    [TestCase("{\"norm_scale\": 0.5}", "f: norm_scale = 0.5 cannot be honoured")]
    public void WhatIsRefusedIsNamedWithItsValue(string json, string message) =>
        Assert.That(() => Check(json), Throws.TypeOf<UserErrorException>().With.Message.StartsWith(message));

    /// <summary>Rows that follow each other with the same words are one.</summary>
    [Test]
    public void TheDocumentationHasEveryRow()
    {
        var page = Path.Combine(SharedData.RepositoryRoot, "docs", "checkpoints.md");
        foreach (var keys in CheckpointKeys.All)
        {
            var rows = new List<(List<string> Keys, KeyRule Rule)>();
            foreach (var rule in keys.Rules)
                if (rows.Count > 0 && rows[^1].Rule is var last && last.Treatment == rule.Treatment
                    && last.Reason == rule.Reason) rows[^1].Keys.Add(rule.Key);
                else rows.Add(([rule.Key], rule));
            var table = rows.Select(row =>
                $"| {string.Join(", ", row.Keys.Select(key => $"`{key}`"))} | {row.Rule.Treatment.ToString().ToLowerInvariant()} | "
                + $"{row.Rule.Reason} |\n");
            WrittenDocument.MustHold(page, keys.File, $"| key | is | because |\n|---|---|---|\n{string.Concat(table)}");
        }
    }

    private static IReadOnlyList<string> Check(string json)
    {
        using var document = JsonDocument.Parse(json);
        return s_keys.Check(document.RootElement, "f");
    }
}
