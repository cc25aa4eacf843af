namespace Harness.Datasets;

/// <summary>
/// A file of the user's own, one object a line: <c>prompt</c>, and where wanted <c>id</c>, <c>category</c> and <c>answer</c>.
/// An answer that is a number, or ends in <c>#### N</c>, is what responses are judged against; any other text is kept as reference.
/// </summary>
public sealed class JsonLinesPrompts(string path) : IPromptSource
{
    public const string Name = "jsonl";

    internal const string PromptKey = "prompt";
    internal static readonly DatasetFields Fields = new(Name, [PromptKey], ["id", "category", "answer"]);

    public string Dataset => Name;

    public ReadLog Log { get; } = new();

    public IEnumerable<Prompt> Read()
    {
        Log.Begin();
        foreach (var record in JsonRecords.Read(path))
        {
            Log.Read(record, Fields);
            var answer = record.OptionalScalar("answer");
            yield return new Prompt
            {
                Index = record.Number,
                Dataset = Name,
                Text = record.Given(PromptKey),     // empty: the model speaks from beginning-of-text alone
                Question = record.Given(PromptKey),
                Source = record.Source,
                Id = record.OptionalScalar("id"),
                Category = record.OptionalScalar("category"),
                ReferenceAnswer = answer == null ? null : GsmAnswer.Marked(answer) ?? GsmAnswer.Whole(answer),
                ReferenceOutput = answer,
            };
        }
    }
}
