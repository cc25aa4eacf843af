using System.Text.Json;
using Harness.Common;
using Harness.Models.Llama.Templates;

namespace Harness.Tests.Models.Llama.Templates;

[TestFixture, Parallelizable(ParallelScope.All)]
public sealed class ChatTemplateTests
{
    private static IEnumerable<TestCaseData> Models() =>
        from model in TemplateFixtures.Renderings.GetProperty("models").EnumerateArray()
        select new TestCaseData(model).SetArgDisplayNames(model.GetProperty("name").GetString()!);

    /// <summary>Every conversation in the form of a published model, character by character as its reference renders it.</summary>
    [TestCaseSource(nameof(Models))]
    public void APublishedTemplateIsRenderedAsTheReferenceDoes(JsonElement model)
    {
        var source = File.ReadAllText(TemplateFixtures.Path(model.GetProperty("file").GetString()!));
        var template = TemplateFixtures.Template(source, [.. model.GetProperty("tokens").EnumerateObject().Select(token =>
            (token.Name, token.Value.GetString()!))]);
        var conversations = TemplateFixtures.Renderings.GetProperty("conversations");
        Assert.Multiple(() =>
        {
            foreach (var rendering in model.GetProperty("renderings").EnumerateObject())
            {
                var messages = TemplateFixtures.Messages(conversations.GetProperty(rendering.Name));
                if (rendering.Value.ValueKind == JsonValueKind.String)
                    Assert.That(template.Render(messages), Is.EqualTo(rendering.Value.GetString()), rendering.Name);
                else
                    Assert.That(() => template.Render(messages), Throws.TypeOf<UserErrorException>().With.Message
                        .Contains(rendering.Value.GetProperty("refused").GetString()), rendering.Name);
            }
        });
    }

    private static IReadOnlyDictionary<string, object?> Context { get; } = TemplateFixtures.Syntax.GetProperty("context").EnumerateObject()
        .ToDictionary(entry => entry.Name, entry => TemplateFixtures.Value(entry.Value));

    private static IEnumerable<TestCaseData> Snippets() =>
        from one in TemplateFixtures.Syntax.GetProperty("cases").EnumerateArray()
        let template = one.GetProperty("template").GetString()!
        select new TestCaseData(template, one.GetProperty("text").GetString()!).SetArgDisplayNames(JsonSerializer.Serialize(template));

    /// <summary>As jinja2 renders it, in the environment that transformers sets up.</summary>
    [TestCaseSource(nameof(Snippets))]
    public void ASnippetIsRenderedAsJinja2Does(string template, string expected) =>
        Assert.That(TemplateFixtures.Template(template).Render(Context, 100), Is.EqualTo(expected));

    /// <summary>What jinja2 refuses, in one line that names the template's line.</summary>
    [Test]
    public void WhatJinja2RefusesIsRefused()
    {
        Assert.Multiple(() =>
        {
            foreach (var one in TemplateFixtures.Syntax.GetProperty("refused").EnumerateArray())
                Assert.That(() => TemplateFixtures.Template(one.GetString()!).Render(Context, 100),
                    Throws.TypeOf<UserErrorException>().With.Message.StartsWith("x.jinja, line 1 of the template")
                        .And.Message.Not.Contains("\n"), one.GetString());
        });
    }

    [TestCase("\n\n{% include 'x' %}", "line 3 of the template: the tag 'include' is not supported")]
    [TestCase("a\n{{ x | urlize }}", "line 2 of the template: the filter 'urlize' is not supported")]
    [TestCase("{% if x is escaped %}{% endif %}", "the test 'escaped' is not supported")]
    [TestCase("{% for x in [1] recursive %}{% endfor %}", "'recursive' loops are not supported")]
    [TestCase("{{ 'x'.center(9) }}", "text has no attribute 'center', or none that is supported")]
    [TestCase("{% for x in [1] %}\n{{ loop.cycle('a') }}{% endfor %}", "line 2 of the template: 'loop.cycle' is not supported")]
    [TestCase("{{ strftime_now('%c') }}", "'%c' of strftime_now is not supported")]
    [TestCase("{{ '%d' % 3 }}", "'%' of text is not supported")]
    [TestCase("{{ 9223372036854775807 + 1 }}", "beyond 64 bits")]
    [TestCase("{% set ns = namespace(x=1) %}{{ ns }}", "a namespace is no text")]
    public void WhatIsNotSupportedIsRefusedByNameAndLine(string template, string message) =>
        Assert.That(() => TemplateFixtures.Template(template).Render([]),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(message));

    /// <summary>Work, depth and memory are bounded, whatever a template asks for.</summary>
    [TestCase("{% for a in range(1000) %}{% for b in range(500) %}{% if a %}{% endif %}{% endfor %}{% endfor %}", "steps")]
    [TestCase("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "nests more than")]
    [TestCase("{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for a in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "more text than")]
    [TestCase("{{ 'a' * 9223372036854775807 }}", "more text than")]
    [TestCase("{% set ns = namespace(x=[]) %}{% for a in range(1000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}", "nests more than")]
    [TestCase("{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaa' | replace('a', 'b' * 100000) }}", "more text than")]
    [TestCase("{{ 'a\nb' | indent(2000000000) }}", "more text than")]
    public void ATemplateThatGoesOnForEverIsRefused(string template, string message) =>
        Assert.That(() => TemplateFixtures.Template(template).Render([]),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(message));

    [TestCase("(", ")")]
    [TestCase("[", "]")]
    [TestCase("not ", "")]
    [TestCase("- ", "")]
    [TestCase("1 if 1 else ", "")]
    public void AnExpressionTenThousandDeepIsRefused(string open, string close)
    {
        var text = $"{{{{ {string.Concat(Enumerable.Repeat(open, 10_000))}1{string.Concat(Enumerable.Repeat(close, 10_000))} }}}}";
        Assert.That(() => TemplateFixtures.Template(text).Render([]),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("nests more than"));
    }

    [TestCase("{% if 1 %}")]
    [TestCase("{% for x in [1] %}")]
    [TestCase("{{ 1")]
    public void TagsTenThousandDeepAreRefused(string open)
    {
        var text = open == "{{ 1" ? $"{open}{string.Concat(Enumerable.Repeat(" + 1", 10_000))} }}}}"
            : string.Concat(Enumerable.Repeat(open, 10_000));
        Assert.That(() => TemplateFixtures.Template(text).Render([]),
            Throws.TypeOf<UserErrorException>().With.Message.Contains("nests more than"));
    }
}
