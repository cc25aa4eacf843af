using System.Text;
using System.Text.RegularExpressions;
using Harness.Common;
using Harness.Datasets.Files;
using Harness.Models.Llama.Templates;

namespace Harness.Datasets;

/// <summary>
/// GSM8K (Cobbe et al. 2021): JSON lines of <c>question</c> and <c>answer</c>, the answer a worked solution that ends in
/// <c>#### N</c>. Zero-shot, or after worked examples from the training file that lies beside the test file.
/// </summary>
/// <remarks>
/// The calculator annotations of the solutions (<c>&lt;&lt;48/2=24&gt;&gt;</c>) are left out of the worked examples: they address a
/// tool that the model does not have, and would lengthen every response that imitates them.
/// The examples are the first of the training file, or those that the seed draws. A question is never its own example.
/// </remarks>
public sealed partial class GsmPrompts(DatasetFiles files, int shots, long? seed) : IPromptSource
{
    public const string Name = "gsm8k";

    internal static readonly DatasetFields Fields = new(Name, ["question", "answer"], ["id"]);

    public string Dataset => Name;

    public ReadLog Log { get; } = new();

    public IEnumerable<Prompt> Read()
    {
        // One to spare, for a question that was drawn as an example itself.
        var examples = shots > 0 ? PromptSelection.Select(Problems(TrainingFile(), new()), shots + 1, seed) : [];
        Log.Begin();
        foreach (var problem in Problems(files, Log))
        {
            var text = new StringBuilder();
            var turns = new List<ChatMessage>();
            foreach (var example in examples.Where(e => e.Question != problem.Question).Take(shots))
            {
                var solution = Annotation().Replace(example.Solution, "");
                text.Append(Ask(example.Question)).Append(' ').Append(solution).Append("\n\n");
                turns.AddRange([new("user", example.Question), new("assistant", solution)]);
            }
            yield return new Prompt
            {
                Index = problem.Index,
                Dataset = Name,
                Text = text.Append(Ask(problem.Question)).ToString(),
                Question = problem.Question,
                Before = new([.. turns]),
                Source = problem.Source,
                Id = problem.Id,
                ReferenceAnswer = problem.Answer,
                ReferenceOutput = problem.Solution,
            };
        }
    }

    private sealed record Problem(int Index, string Source, string? Id, string Question, string Solution, string Answer);

    private static IEnumerable<Problem> Problems(DatasetFiles files, ReadLog log)
    {
        foreach (var record in DatasetRecords.Read(files, Fields.MayUse))
        {
            log.Read(record, Fields);
            var (question, solution) = (record.Required("question"), record.Required("answer"));
            var answer = GsmAnswer.Marked(solution)
                ?? throw record.Malformed("has an \"answer\" without a final \"#### number\"");
            yield return new Problem(record.Number, record.Source, record.OptionalScalar("id"), question, solution, answer);
        }
    }

    private static string Ask(string question) => $"Question: {question}\nAnswer:";

    /// <summary>
    /// The split <c>train</c> of a directory that has splits; else <c>train.jsonl</c> beside <c>test.jsonl</c>, <c>NAME-train.jsonl</c>
    /// beside <c>NAME.jsonl</c>.
    /// </summary>
    private DatasetFiles TrainingFile()
    {
        if (files.Training is { } split) return split;
        var (directory, names) = HubDirectory.BesideFile(files.First);
        return names.Select(n => Path.Combine(directory, n)).FirstOrDefault(File.Exists)
            ?? throw new UserErrorException(
                $"{shots} worked examples need GSM8K's training file: neither {string.Join(" nor ", names)} lies in {directory}; put it "
                    + "there or leave the shots out");
    }

    [GeneratedRegex("<<[^<>]*>>")]
    private static partial Regex Annotation();
}
