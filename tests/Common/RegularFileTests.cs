using System.Diagnostics;
using Harness.Common;
using Harness.Configuration;
using Harness.Datasets;
using Harness.Energy.Records;
using Harness.Models.Llama.Checkpoints;
using Harness.Runs.Carbon;
using Harness.Sweeping;
using Harness.Tests.Models.Llama;

namespace Harness.Tests.Common;

/// <summary>What stands in the place of a file and is none: refused at once by name, where a named pipe would be waited for.</summary>
[Platform("Linux")]
internal sealed class RegularFileTests
{
    private ScratchDirectory _scratch = null!;

    [SetUp]
    public void Begin() => _scratch = new();

    [TearDown]
    public void End() => _scratch.Dispose();

    private static readonly (string Name, Action<string> Read)[] s_inputs =
    [
        ("a small file", path => InputFile.Read(path)),
        ("a data set", path => DatasetCatalog.Open("jsonl", path).Read().ToList()),
        ("a configuration", path => new ResolvedConfiguration(path, new Dictionary<string, string?>())),
        ("a grid", path => GridFile.Read(path)),
        ("a recording", path => PowerRecords.Read(path)),
        ("hourly values", path => CarbonIntensity.Parse(path, "--carbon-intensity")),
    ];

    private static IEnumerable<TestCaseData> Inputs => s_inputs.Select(input => new TestCaseData(input.Read) { TestName = $"{{m}}({input.Name})" });

    [TestCaseSource(nameof(Inputs))]
    public void ANamedPipeIsRefused(Action<string> read)
    {
        var pipe = Pipe(_scratch["pipe"]);
        Assert.That(() => read(pipe), Refused(pipe, "a named pipe"));
    }

    [TestCaseSource(nameof(Inputs))]
    public void ADeviceIsRefused(Action<string> read) => Assert.That(() => read("/dev/zero"), Refused("/dev/zero", "a character device"));

    [TestCase("config.json")]
    [TestCase("model.safetensors")]
    public void APipeInACheckpointIsRefused(string file)
    {
        var model = new TinyCheckpoint().Write(_scratch);
        File.Delete(Path.Combine(model, file));
        var pipe = Pipe(Path.Combine(model, file));
        Assert.That(() => new HuggingFaceCheckpoint(model), Refused(pipe, "a named pipe"));
    }

    [Test]
    public void ADirectoryIsCalledOne() => Assert.That(() => InputFile.Read(_scratch.Path), Refused(_scratch.Path, "a directory"));

    /// <summary>A link to a file is as good as the file, and of what is not there the reader says so.</summary>
    [Test]
    public void ALinkIsFollowed()
    {
        File.CreateSymbolicLink(_scratch["link"], _scratch.File("file", "text"));
        Assert.That(InputFile.Read(_scratch["link"]), Is.EqualTo("text"u8.ToArray()));
        Assert.That(() => RegularFile.Require(_scratch["nothing"]), Throws.Nothing);
    }

    private static NUnit.Framework.Constraints.IResolveConstraint Refused(string path, string what) =>
        Throws.TypeOf<UserErrorException>().With.Message.StartsWith($"{path} is {what}, where a file is expected");

    private static string Pipe(string path)
    {
        using var make = Process.Start("mkfifo", [path]);
        make.WaitForExit();
        Assert.That(make.ExitCode, Is.Zero);
        return path;
    }
}
