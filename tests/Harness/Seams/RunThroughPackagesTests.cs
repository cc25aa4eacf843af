using System.Text.Json.Nodes;
using Harness.Seams;
using Harness.Tests.Models.Llama;
using Harness.Tests.Sharding;

namespace Harness.Tests.Seams;

/// <summary>The whole program over MPI.NET, tokens by Microsoft.ML.Tokenizers: the ids that three other implementations agree on.</summary>
[Parallelizable]
public class RunThroughPackagesTests
{
    [TestCase("cpu")]
    [TestCase("torch")]
    public void FourRanksGiveTheReferenceIds(string backend)
    {
        string[] library = backend == Backends.Torch ? ["--libtorch", TestLibTorch.Folder] : [];
        using var scratch = new ScratchDirectory();
        var prompts = scratch.File("prompts.jsonl", "{\"prompt\": \"\"}\n");
        var result = Mpiexec.Mpich.Run(Path.Combine(AppContext.BaseDirectory, "harness.dll"), 4, null, TimeSpan.FromMinutes(4),
        [
            "run", "--model", Stories.Directory, "--dtype", "f32", "--data", prompts, "--max-new-tokens", $"{Stories.Continuation.Length}",
                "--ignore-eos",
            "--tp", "2", "--pp", "2", "--backend", backend, "--communicator", "mpinet", "--tokenizer-library", "ml", "--idle-baseline",
                "0s", "--threads", "1", "--out", scratch.Path, "--name", "run",
            .. library,
        ]);
        Assert.That(result.ExitCode, Is.Zero, result.Output);
        var response = JsonNode.Parse(File.ReadLines(scratch["run", "responses.jsonl"]).Single())!;
        Assert.That(response["output_ids"]!.AsArray().Select(id => (int)id!), Is.EqualTo(Stories.Continuation));
        Assert.That(((string)response["text"]!).TrimStart(), Is.EqualTo(Stories.Text.TrimStart()));
        var configuration = JsonNode.Parse(File.ReadAllText(scratch["run", "manifest.json"]))!["configuration"]!;
        Assert.That((string)configuration["Model:TokenizerLibrary"]!["value"]!, Is.EqualTo("ml"));
    }
}
