namespace Harness.Tests;

/// <summary>A part of a document that follows from the code, between <c>&lt;!-- NAME --&gt;</c> and <c>&lt;!-- /NAME --&gt;</c>.</summary>
internal static class WrittenDocument
{
    /// <summary>With this variable set, tests write the parts anew instead of comparing them.</summary>
    private const string Variable = "WRITE_DOCS";

    public static void MustHold(string path, string part, string content)
    {
        var (begin, end) = ($"<!-- {part} -->\n", $"<!-- /{part} -->");
        var text = File.ReadAllText(path);
        var (from, to) = (text.IndexOf(begin, StringComparison.Ordinal), text.IndexOf(end, StringComparison.Ordinal));
        Assert.That(from >= 0 && to > from, $"{path} has a part {part}");
        from += begin.Length;
        if (Environment.GetEnvironmentVariable(Variable) != null) File.WriteAllText(path, text[..from] + content + text[to..]);
        else Assert.That(text[from..to], Is.EqualTo(content),
            $"{path} does not follow from the code any more; {Variable}=1 dotnet test tests -c Release --filter "
            + $"FullyQualifiedName~{TestContext.CurrentContext.Test.ClassName} writes it anew");
    }
}
