using System.CommandLine;
using Harness.Configuration;
using Harness.Running;

namespace Harness.Verbs;

/// <summary><c>harness score</c>: the probability of a given text, token by token.</summary>
internal static class ScoreVerb
{
    public static Command Create()
    {
        var command = new Command("score",
            "Write each token's probability under the model, and print the perplexity: shows that a dtype, a backend or a sharding plan "
            + "computes the same model.");
        var switches = new ConfigurationSwitches(command, Switch.Model);
        var text = new Option<string>("--text") { HelpName = "FILE", Description = "UTF-8 text to score", Required = true };
        var output = new Option<string>("--out")
        {
            HelpName = "FILE.jsonl",
            Description = "a line per token: position, id, text, natural-log probability",
            Required = true
        };
        var logits = new Option<string?>("--logits")
        {
            HelpName = "FILE.npy",
            Description = "raw float32 logits [positions, vocabulary], position 0 being beginning-of-text"
        };
        foreach (var option in (Option[])[text, output, logits]) command.Options.Add(option);
        command.SetAction(parsed =>
        {
            var configuration = switches.Resolve(parsed);
            var job = new ScoreJob(configuration, parsed.GetValue(text)!, parsed.GetValue(output)!, parsed.GetValue(logits));
            return Ranks.Run(configuration.Options.Sharding, configuration.Options.Runtime.Threads, job.Execute);
        });
        return command;
    }
}
