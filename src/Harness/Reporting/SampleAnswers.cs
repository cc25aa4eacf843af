using Harness.Common;
using Harness.Runs.Records;
using Spectre.Console;

namespace Harness.Reporting;

/// <summary>The first few prompts with what the model answered, so that a person sees at once whether it speaks sensibly.</summary>
public static class SampleAnswers
{
    private const int PromptCharacters = 140, AnswerCharacters = 320;

    public static void Write(IAnsiConsole console, IEnumerable<ResponseRecord> responses)
    {
        foreach (var response in responses)
        {
            console.WriteLine();
            console.Write(new Text($"{VisibleText.Of(Tail(OneLine(response.Prompt)))}\n", new Style(decoration: Decoration.Dim)));
            console.Write(new Text($"  {VisibleText.Of(Head(OneLine(response.Text)))}\n"));
        }
    }

    private static string OneLine(string text) => string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));

    /// <summary>A template comes first and the question last: the end of a long prompt says more.</summary>
    private static string Tail(string text) =>
        text.Length <= PromptCharacters ? text : $"…{text[Between(text, text.Length - PromptCharacters)..]}";

    private static string Head(string text) => text.Length <= AnswerCharacters ? text : $"{text[..Between(text, AnswerCharacters)]}…";

    /// <summary>A place to cut that parts no surrogate pair.</summary>
    private static int Between(string text, int at) => char.IsLowSurrogate(text[at]) ? at + 1 : at;
}
