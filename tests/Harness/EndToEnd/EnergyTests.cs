using System.Globalization;
using System.Text.Json.Nodes;

namespace Harness.Tests.EndToEnd;

/// <summary>A whole run with a meter that is a program: 200 W, give or take 0.1, so that the sensor's updates can be told apart.</summary>
[Parallelizable]
internal sealed class EnergyTests
{
    private const int Watts = 200, Replicas = 3;

    [Test]
    public void JoulesOfTheRowsAndTheRestAddUpToThoseMeasured()
    {
        using var scratch = new ScratchDirectory();
        scratch.File("meter.sh", $"while :; do echo 'W {Watts}.1'; sleep 0.06; echo 'W {Watts - 1}.9'; sleep 0.06; done");
        // Repeats last as long as the meter needs: many passes over four batches, which three replicas do not share evenly.
        var result = HarnessProcess.Run(scratch.Path, "run", "--model", Models.Llama.Stories.Directory, "--data",
            SharedData.Path("data", "alpaca", "alpaca_data.json"),
            "--limit", "4", "--batch", "1", "--max-new-tokens", "2", "--dp", $"{Replicas}", "--meter", "command:sh meter.sh",
                "--sample-interval", "50ms", "--idle-baseline", "0.2s",
            "--until-ci", "50%", "--max-repeats", "3", "--out", "out");
        Assert.That(result.ExitCode, Is.Zero, result.Error);
        var run = RunOutput.Only(scratch["out"]);
        var (rows, summary) = (run.Prompts, run.Summary);
        Assert.That(summary["total_energy_j"], Is.Not.Empty,
            $"{summary["invalid_reasons"]}\n{result.Error}\n{File.ReadAllText(run["windows.jsonl"])}");
        var total = Number(summary["total_energy_j"]);
        Assert.Multiple(() =>
        {
            Assert.That(total, Is.EqualTo(Watts * Number(summary["duration_s"])).Within(1e-3 * total));
            Assert.That(rows.Sum(row => Number(row["energy_j"])) + Number(summary["unattributed_energy_j"]),
                Is.EqualTo(total).Within(1e-6 * total));
            Assert.That(Number(summary["prefill_energy_j"]) + Number(summary["decode_energy_j"]),
                Is.EqualTo(rows.Sum(row => Number(row["energy_j"]))).Within(1e-6 * total));
            Assert.That(Number(summary["energy_per_output_token_j"]), Is.EqualTo(total / (2 * rows.Count)).Within(1e-9 * total));
            Assert.That(rows.Select(row => row["energy_source"]), Is.All.StartsWith("command"));
            Assert.That(rows.GroupBy(row => row["prompt_index"]).Select(prompt => prompt.Count()).Distinct().Single(), Is.GreaterThan(3),
                "several passes in a repeat");

            // A replica computes the prompts that are dealt to it, in every pass.
            foreach (var step in File.ReadLines(run["steps.jsonl"]).Select(line => JsonNode.Parse(line)!))
                foreach (var row in step["rows"]!.AsArray())
                    Assert.That((int)step["replica"]!, Is.EqualTo((int)Number(rows[(int)row!]["prompt_index"]) % Replicas));
        });
        // On a loaded machine samples may come late, which verify rightly refuses; but no figure may differ.
        var verified = HarnessProcess.Run(scratch.Path, "verify", run.Path);
        Assert.That(verified.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries), Is.All.EndsWith("sample_gap"));
        Assert.That(verified.ExitCode, Is.EqualTo(verified.Error.Length == 0 ? 0 : 1));
    }

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
