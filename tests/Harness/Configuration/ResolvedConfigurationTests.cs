using Harness.Common;
using Harness.Configuration;
using Harness.Tensors;

namespace Harness.Tests.Configuration;

/// <summary>Four layers, the later ones winning; every value knows where it came from; what is not understood is refused.</summary>
[NonParallelizable]
internal sealed class ResolvedConfigurationTests
{
    private ScratchDirectory _scratch = null!;
    private EnvironmentVariables _environment = null!;

    [SetUp]
    public void Begin() => (_scratch, _environment) = (new(), new());

    [TearDown]
    public void End()
    {
        _environment.Dispose();
        _scratch.Dispose();
    }

    [Test]
    public void WithoutAnythingEveryValueIsItsDefault()
    {
        var configuration = Resolve();
        Assert.That(configuration.Options, Is.EqualTo(new RunOptions()));
        Assert.That(configuration.Entries().Select(e => e.Source), Is.All.EqualTo("default"));
    }

    /// <summary>Whether a directory of that name is there or not: nothing was looked at yet.</summary>
    [TestCase("..")]
    [TestCase(".")]
    [TestCase("a/b")]
    [TestCase("a\\b")]
    [TestCase("a\tb")]
    public void ANameThatNoRunCanHaveIsRefusedAtOnce(string name) =>
        Assert.That(() => Resolve(null, ("Output:Name", name)),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith($"the run's name '{name}' is not a plain name"));

    [Test]
    public void LaterLayersWinAndEachValueSaysWhereItCameFrom()
    {
        var file = _scratch.File("run.json", """{ "Batch": { "Size": 11 }, "Generation": { "MaxNewTokens": 12, "Temperature": 0.5 }, "Sharding": { "Tensor": 2 } }""");
        _environment["HARNESS_Generation__MaxNewTokens"] = "22";
        _environment["HARNESS_Sharding__Tensor"] = "4";
        var configuration = Resolve(file, ("Sharding:Tensor", "8"));
        var entries = configuration.Entries().ToDictionary(e => e.Key, e => (e.Value, e.Source));
        Assert.Multiple(() =>
        {
            Assert.That(configuration.Options.Batch.Size, Is.EqualTo(11));
            Assert.That(configuration.Options.Generation.MaxNewTokens, Is.EqualTo(22));
            Assert.That(configuration.Options.Sharding.Tensor, Is.EqualTo(8));
            Assert.That(entries["Batch:Size"], Is.EqualTo(("11", file)));
            Assert.That(entries["Generation:Temperature"], Is.EqualTo(("0.5", file)));
            Assert.That(entries["Generation:MaxNewTokens"], Is.EqualTo(("22", "environment")));
            Assert.That(entries["Sharding:Tensor"], Is.EqualTo(("8", "command line")));
            Assert.That(entries["Sharding:Pipeline"], Is.EqualTo(("1", "default")));
        });
    }

    [Test]
    public void NamesAreTheSameInAnyCase()
    {
        var file = _scratch.File("run.json", """{ "batch": { "SIZE": 3 } }""");
        _environment["HARNESS_GENERATION__TOPK"] = "5";
        var options = Resolve(file, ("sharding:tensor", "2")).Options;
        Assert.That((options.Batch.Size, options.Generation.TopK, options.Sharding.Tensor), Is.EqualTo((3, 5, 2)));
    }

    [Test]
    public void ValuesOfEveryKindAreReadWhateverTheLanguageOfTheMachine()
    {
        var options = Resolve(null, ("Generation:Temperature", "0.75"), ("Generation:IgnoreEos", "true"),
            ("Generation:Seed", "18446744073709551615"),
            ("Dataset:Seed", "-3"), ("Energy:MaxStartTemperature", "40.5")).Options;
        Assert.That((options.Generation.Temperature, options.Generation.IgnoreEos, options.Generation.Seed, options.Dataset.Seed,
            options.Energy.MaxStartTemperature),
            Is.EqualTo((0.75f, true, ulong.MaxValue, (long?)-3, 40.5)));
    }

    [TestCase("""{ "Bacth": { "Size": 4 } }""", "configuration section Bacth is unknown; there are Model, Sharding,")]
    [TestCase("""{ "Batch": { "Sise": 4 } }""", "configuration key Batch:Sise is unknown; Batch has Size, Schedule")]
    [TestCase("""{ "BatchSize": 4 }""", "configuration section BatchSize is unknown; there are Model, Sharding,")]
    [TestCase("""{ "Batch": 4 }""", "configuration section Batch")]
    [TestCase("""{ "Batch": { "Size": [4, 8] } }""", "Batch:Size is a list, which is a dimension of a sweep; a run takes one value, 'harness sweep' takes lists")]
    [TestCase("""{ "Batch": { "Size": "many" } }""", "Batch:Size (--batch) is 'many', but a whole number is expected")]
    [TestCase("""{ "Batch": { "Size": 4.5 } }""", "Batch:Size (--batch) is '4.5', but a whole number is expected")]
    [TestCase("""{ "Batch": { "Size": 99999999999 } }""", "Batch:Size (--batch) is '99999999999', but a whole number is expected")]
    [TestCase("""{ "Batch": { "Size": "" } }""", "Batch:Size (--batch) is '', but a whole number")]
    [TestCase("""{ "Batch": { "Size": null } }""", "Batch:Size (--batch) is null; leave the key out for its default")]
    [TestCase("""{ "Model": { "Path": null } }""", "Model:Path (--model) is null; leave the key out for its default")]
    [TestCase("""{ "Generation": { "IgnoreEos": "yes" } }""", "Generation:IgnoreEos (--ignore-eos) is 'yes', but true or false is expected")]
    [TestCase("""{ "Generation": { "Temperature": "0,8" } }""", "Generation:Temperature (--temperature) is '0,8', but a number is expected")]
    [TestCase("""{ "Batch": """, "is not valid JSON")]
    [TestCase("""[1]""", "is not valid JSON")]
    [TestCase("", "is not valid JSON")]
    public void AFileThatIsNotUnderstoodIsRefused(string content, string message)
    {
        var file = _scratch.File("run.json", content);
        var error = Assert.Throws<UserErrorException>(() => Resolve(file))!;
        Assert.That(error.Message, Does.Contain(message).And.Not.Contain("\n"));
    }

    [Test]
    public void AMisspeltEnvironmentVariableIsRefusedAndOneOfAnotherPurposeIsNot()
    {
        _environment["HARNESS_MPI_LIBRARY"] = "libmpi.so.40";
        Assert.That(() => Resolve(), Throws.Nothing);
        _environment["HARNESS_Batch__Sise"] = "4";
        Assert.That(() => Resolve(), Throws.TypeOf<UserErrorException>().With.Message.Contains("Batch:Sise is unknown"));
    }

    [Test]
    public void AFileThatIsNotThereIsNamed() =>
        Assert.That(() => Resolve(_scratch["no.json"]),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
            $"configuration file '{_scratch["no.json"]}' does not exist; --config takes a JSON file"));

    [TestCase("Sharding:Tensor", "0", "Sharding:Tensor (--tp) is '0', but a whole number of at least 1 is expected")]
    [TestCase("Sharding:Pipeline", "-1", "Sharding:Pipeline (--pp) is '-1'")]
    [TestCase("Sharding:MicroBatches", "-1", "Sharding:MicroBatches (--micro-batches) is '-1'")]
    [TestCase("Sharding:Communicator", "smoke",
        "Sharding:Communicator (--communicator) is 'smoke', but one of auto, solo, threads, mpi, mpinet is expected")]
    [TestCase("Sharding:CommDtype", "f16", "Sharding:CommDtype (--comm-dtype) is 'f16', but one of f32, bf16 is expected")]
    [TestCase("Runtime:Backend", "gpu", "Runtime:Backend (--backend) is 'gpu'")]
    [TestCase("Runtime:Threads", "-2", "Runtime:Threads (--threads) is '-2'")]
    [TestCase("Model:Dtype", "int4", "dtype 'int4' is unknown; use f32, bf16, f16 or int8")]
    [TestCase("Batch:Size", "0", "Batch:Size (--batch) is '0', but a whole number of at least 1 is expected")]
    [TestCase("Batch:Burstiness", "0", "Batch:Burstiness (--burstiness) is '0', but a number from 0.001 to 1000000 is expected")]
    [TestCase("Batch:Burstiness", "-1", "Batch:Burstiness (--burstiness) is '-1'")]
    [TestCase("Batch:Burstiness", "NaN", "Batch:Burstiness (--burstiness) is 'NaN'")]
    [TestCase("Batch:Burstiness", "0.5",
        "Batch:Burstiness (--burstiness) is '0.5', but 1, or requests that arrive by themselves (--rate R), is expected")]
    [TestCase("Batch:Schedule", "best", "Batch:Schedule (--schedule) is 'best', but one of")]
    [TestCase("Generation:MaxNewTokens", "0", "Generation:MaxNewTokens (--max-new-tokens) is '0'")]
    [TestCase("Generation:Temperature", "-0.5", "Generation:Temperature (--temperature) is '-0.5', but a number from 0 to 100 is expected")]
    [TestCase("Generation:Temperature", "NaN", "Generation:Temperature (--temperature) is 'NaN'")]
    [TestCase("Generation:TopP", "0", "Generation:TopP (--top-p) is '0', but a number above 0 and up to 1 is expected")]
    [TestCase("Generation:TopP", "1.01", "Generation:TopP (--top-p) is '1.01'")]
    [TestCase("Generation:RepetitionPenalty", "0",
        "Generation:RepetitionPenalty (--repetition-penalty) is '0', but a number above 0 is expected")]
    [TestCase("Generation:RepetitionPenalty", "Infinity", "Generation:RepetitionPenalty (--repetition-penalty) is ")]
    [TestCase("Energy:SampleInterval", "fast",
        "Energy:SampleInterval (--sample-interval) is 'fast', but a time such as 100ms, 2s or 5min is expected")]
    [TestCase("Energy:SampleInterval", "0s", "Energy:SampleInterval (--sample-interval) is '0s', but 1ms to 60s is expected")]
    [TestCase("Energy:Cooldown", "-1s", "Energy:Cooldown (--cooldown) is '-1s'")]
    [TestCase("Energy:MaxStartTemperature", "NaN", "Energy:MaxStartTemperature (--max-start-temperature) is 'NaN'")]
    [TestCase("Repeats:UntilCi", "2", "Repeats:UntilCi (--until-ci) is '2', but a percentage such as 2% is expected")]
    [TestCase("Repeats:Count", "0", "Repeats:Count (--repeats) is '0'")]
    [TestCase("Repeats:Max", "1", "Repeats:Max (--max-repeats) is '1'")]
    [TestCase("Output:Directory", "", "Output:Directory (--out) is ''")]
    public void AValueOutOfRangeIsRefusedByNameAndSwitch(string key, string value, string message) =>
        Assert.That(() => Resolve(null, (key, value)),
            Throws.TypeOf<UserErrorException>().With.Message.Contains(message).And.Message.Not.Contains("\n"));

    [Test]
    public void AFileOfArrivalsGoesWithContinuousBatchingAndWithNoDrawnGaps()
    {
        Assert.That(() => Resolve(null, ("Batch:Arrivals", "azure.csv")), Throws.TypeOf<UserErrorException>().With.Message.EqualTo(
            "Batch:Arrivals (--arrivals) is 'azure.csv', but continuous batching (--schedule continuous) is expected"));
        Assert.That(() => Resolve(null, ("Batch:Arrivals", "azure.csv"), ("Batch:Schedule", "continuous"), ("Batch:Burstiness", "2")),
            Throws.TypeOf<UserErrorException>().With.Message.EqualTo("Batch:Burstiness (--burstiness) is '2', but 1 beside --arrivals, "
            + "whose file says when requests come, is expected"));
    }

    /// <summary>A mistake that is known before a model is loaded is told before.</summary>
    [TestCase("2")]
    public void AnIntervalNeedsThreeRepeats(string most)
    {
        Assert.That(() => Resolve(null, ("Repeats:UntilCi", "2%"), ("Repeats:Max", most)), Throws.TypeOf<UserErrorException>()
            .With.Message.EqualTo("Repeats:Max (--max-repeats) is '2', but at least 3, which a confidence interval (--until-ci) needs, is "
            + "expected"));
        Assert.That(() => Resolve(null, ("Repeats:UntilCi", "2%"), ("Repeats:Max", "3")), Throws.Nothing);
        Assert.That(() => Resolve(null, ("Repeats:Max", most)), Throws.Nothing, "without an interval it bounds nothing");
    }

    /// <summary>A timer takes 2³² ms, a TimeSpan 2⁶³ × 100 ns; each bound is far below.</summary>
    [TestCase("Sharding:StallLimit", "400000min", "1s to 43200min")]
    [TestCase("Sharding:StallLimit", "1e300s", "1s to 43200min")]
    [TestCase("Sharding:StallLimit", "999ms", "1s to 43200min")]
    [TestCase("Energy:SampleInterval", "61s", "1ms to 60s")]
    [TestCase("Energy:IdleBaseline", "1e300min", "0s to 1440min")]
    [TestCase("Energy:Cooldown", "1441min", "0s to 1440min")]
    [TestCase("Energy:CooldownLimit", "400000min", "0s to 1440min")]
    public void EveryTimeHasABound(string key, string value, string bounds) => Assert.That(() => Resolve(null, (key, value)),
        Throws.TypeOf<UserErrorException>().With.Message.StartsWith(key).And.Message.EndsWith($" is '{value}', but {bounds} is expected"));

    [TestCase("100ms", 0.1)]
    [TestCase("2s", 2)]
    [TestCase("1.5s", 1.5)]
    [TestCase("5min", 300)]
    [TestCase("0.25", 0.25)]
    [TestCase("0", 0)]
    public void TimesAreWrittenWithTheirUnit(string text, double seconds) =>
        Assert.That(Resolve(null, ("Energy:Cooldown", text)).Options.Energy.Cooldown.TotalSeconds, Is.EqualTo(seconds).Within(1e-12));

    [TestCase("")]
    [TestCase("s")]
    [TestCase("1h")]
    [TestCase("1 day")]
    [TestCase("1,5s")]
    [TestCase("NaN")]
    [TestCase("1e400s")]
    public void OtherTimesAreRefused(string text) =>
        Assert.That(() => Resolve(null, ("Energy:Cooldown", text)),
            Throws.TypeOf<UserErrorException>().With.Message.Contains($"(--cooldown) is '{text}', but a time such as"));

    [TestCase("2%", 0.02)]
    [TestCase("0.05", 0.05)]
    public void PercentagesMayBeFractions(string text, double fraction) =>
        Assert.That(Resolve(null, ("Repeats:UntilCi", text)).Options.Repeats.UntilCi, Is.EqualTo(fraction).Within(1e-12));

    private static ResolvedConfiguration Resolve(string? file = null, params (string Key, string Value)[] commandLine) =>
        new(file, commandLine.ToDictionary(pair => pair.Key, pair => (string?)pair.Value));
}
