using System.Security.Cryptography;
using System.Text;
using Harness.Common;
using Harness.Datasets;

namespace Harness.Tests.Datasets;

/// <summary>Files of arrivals in the forms that are published, and what is wrong with others.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class ArrivalTraceTests : IDisposable
{
    private readonly ScratchDirectory _scratch = new();

    public void Dispose() => _scratch.Dispose();

    /// <summary>The forms of 2023 (seven digits, no zone, CR LF, no end of the last line) and of 2024 (six digits and a zone).</summary>
    [TestCase("TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:15:46.6805900,374,44\r\n2023-11-16 18:15:50.9951690,396,109\r\n"
        + "2023-11-16 18:15:50.9951690,879,55")]
    [TestCase("TIMESTAMP,ContextTokens,GeneratedTokens\n2024-05-10 00:00:00.680590+00:00,374,44\n2024-05-10 02:00:04.995169+02:00,396,109\n"
        + "2024-05-10 00:00:04.995169Z,879,55\n")]
    [TestCase("arrival_s,input_tokens,output_tokens\n100,374,44\n104.314579,396,109\n1.04314579e2,879,55\n")]
    [TestCase("\uFEFFoutput_tokens,arrival_s,input_tokens\n44,-1,374\n109,3.314579,396\n55,3.314579,879\n")]
    public void TimesAreSinceTheFirstAndLengthsAreKept(string csv)
    {
        var path = _scratch.File("trace.csv", csv);
        var trace = ArrivalTrace.Read(path, 3);
        Assert.Multiple(() =>
        {
            Assert.That(trace.Used.Select(one => one.Seconds), Is.EqualTo((double[])[0, 4.314579, 4.314579]).Within(1e-6));
            Assert.That(trace.Used.Select(one => (one.InputTokens, one.OutputTokens, one.Line)),
                Is.EqualTo(new (int?, int?, long)[] { (374, 44, 2), (396, 109, 3), (879, 55, 4) }));
            Assert.That(trace.Rate, Is.EqualTo(2 / 4.314579).Within(1e-6), "two gaps in the time from the first to the last");
            Assert.That(trace.Digest, Is.EqualTo(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))));
            Assert.That(trace.UnreadColumns, Is.Empty);
        });
    }

    [Test]
    public void ARateStretchesTheTimes()
    {
        var trace = ArrivalTrace.Read(_scratch.File("trace.csv", "arrival_s\n5\n6\n9\n10\n"), 4).At(6);
        Assert.That(trace.Used.Select(one => one.Seconds), Is.EqualTo((double[])[0, 0.1, 0.4, 0.5]).Within(1e-12),
            "three gaps in half a second");
        Assert.That(trace.Rate, Is.EqualTo(6).Within(1e-12));
        Assert.That(trace.Used[0].InputTokens, Is.Null);
    }

    [Test]
    public void TheFirstRowsAreUsedAndWhatIsNotIsNamed()
    {
        var trace = ArrivalTrace.Read(_scratch.File("trace.csv", "TIMESTAMP,Region,GeneratedTokens\n2023-11-16 18:15:46,EU,3\n"
            + "2023-11-16 18:15:48,US,4\n2023-11-16 18:15:58,US,5\n"), 2);
        var notes = trace.Notes.ToList();
        Assert.Multiple(() =>
        {
            Assert.That(trace.Rate, Is.EqualTo(0.5), "of those that are used");
            Assert.That(notes, Has.Count.EqualTo(2));
            Assert.That(notes[0], Does.Contain("the first 2 of its 3 requests (the others are not used), 0.5 a second")
                .And.Contain("outputs have exactly GeneratedTokens").And.Not.Contain("prompts are cut"));
            Assert.That(notes[1], Does.EndWith("nothing is made of \"Region\""));
            var times = trace.WithoutLengths();
            Assert.That(times.Used.Select(one => one.OutputTokens), Is.All.Null);
            Assert.That(times.Notes.Last(), Does.EndWith("nothing is made of \"GeneratedTokens\", \"Region\""));
        });
    }

    [TestCase("", "trace.csv is empty: it has no header")]
    [TestCase("arrival_s\n", "trace.csv holds no arrivals: it has a header alone")]
    [TestCase("time,x\n1,2\n", "trace.csv has the columns time, x, but TIMESTAMP (a time) or arrival_s (seconds) is expected")]
    [TestCase("arrival_s,TIMESTAMP\n1,2\n", "trace.csv has the columns arrival_s and TIMESTAMP, and both say the same; leave one out")]
    [TestCase("arrival_s,ContextTokens,input_tokens\n1,2,2\n", "trace.csv has the columns ContextTokens and input_tokens, and both")]
    [TestCase("arrival_s\n1\n2\n", "trace.csv has 2 arrivals for 3 prompts; use fewer prompts (--limit 2), or a longer file")]
    [TestCase("arrival_s\n1\n3\n2\n", "trace.csv:4: arrival_s is '2', before that of line 3; sort the rows by it")]
    [TestCase("arrival_s\n1\n3\n4\n2\n", "trace.csv:5: arrival_s is '2', before that of line 4",
        TestName = "{m}(behind those that are used)")]
    [TestCase("arrival_s\n1\nNaN\n2\n", "trace.csv:3: arrival_s is 'NaN', but a number of seconds is expected")]
    [TestCase("arrival_s\n1\n1e13\n2\n", "trace.csv:3: arrival_s is '1e13', but a number of seconds is expected")]
    [TestCase("arrival_s\n0\n2e9\n2e9\n", "trace.csv:4: arrival_s is more than thirty years after that of the first row; correct it")]
    [TestCase("TIMESTAMP\n2023-11-16 18:15:46.68\n18:15\n2024\n",
        "trace.csv:3: TIMESTAMP is '18:15', but a time such as 2023-11-16 18:15:46.6805900 is expected")]
    [TestCase("arrival_s,output_tokens\n1,5\n2,\n3,4\n", "trace.csv:3: output_tokens is '', but a whole number of at least 1 is expected")]
    [TestCase("arrival_s,output_tokens\n1,5\n,2\n3,4\n", "trace.csv:3: arrival_s is '', but a number of seconds is expected")]
    [TestCase("arrival_s,output_tokens\n1,5\n2,0\n3,4\n", "trace.csv:3: output_tokens is '0', but a whole number of at least 1 is expected")]
    [TestCase("arrival_s,output_tokens\n1,5\n2\n3,4\n", "trace.csv:3: ")]
    [TestCase("{\"a\":1}\n", "trace.csv:1: Malformed CSV")]
    public void WhatIsNoTraceIsRefusedByLine(string csv, string message)
    {
        var path = _scratch.File("trace.csv", csv);
        Assert.That(() => ArrivalTrace.Read(path, 3), Throws.TypeOf<UserErrorException>().With.Message.StartsWith(
            Path.Combine(_scratch.Path, message)).And.Message.Not.Contains("\n"));
    }

    [Test]
    public void WhatHasNoRateIsNotStretched()
    {
        var trace = ArrivalTrace.Read(_scratch.File("trace.csv", "arrival_s\n1\n1\n"), 2);
        Assert.That(trace.Rate, Is.Null);
        Assert.That(() => trace.At(2), Throws.TypeOf<UserErrorException>().With.Message.Contains("its 2 requests all arrive at once"));
        var apart = ArrivalTrace.Read(_scratch.File("trace.csv", "arrival_s\n1\n2\n"), 2);
        Assert.That(() => apart.At(1e-300), Throws.TypeOf<UserErrorException>().With.Message.Contains("more than thirty years"));
    }

    [Test]
    public void AFileThatIsPackedOrMissingIsNamed()
    {
        File.WriteAllBytes(_scratch["trace.csv"], [0x1F, 0x8B, 8, 0, .. Encoding.ASCII.GetBytes("packed")]);
        Assert.That(() => ArrivalTrace.Read(_scratch["trace.csv"], 1),
            Throws.TypeOf<UserErrorException>().With.Message.EndsWith("is gzip-compressed; unpack it with gunzip"));
        Assert.That(() => ArrivalTrace.Read(_scratch["none.csv"], 1),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith($"cannot read {_scratch["none.csv"]}"));
    }
}
