using System.Security.Cryptography;
using Harness.Common;
using Harness.Models.Llama.Checkpoints;
using Harness.Running;
using Harness.Sharding;
using Harness.Sharding.Communicators;
using Harness.Sharding.Launch;
using Harness.Tests.Models.Llama;

namespace Harness.Tests.Running;

/// <summary>Copies of one checkpoint on two nodes, ranks 0 and 1 on the first, 2 on the second.</summary>
internal sealed class VerifiedWeightsTests
{
    private static readonly string[] s_hosts = ["node1", "node1", "node2"];

    private readonly ScratchDirectory _scratch = new();

    /// <summary>One tensor of 256 kB, of which four blocks of 4 kB are in the fingerprint; two shards.</summary>
    private static readonly TinyCheckpoint s_tiny = new() { Vocabulary = 2000, Shards = 2 };

    [SetUp]
    public void Copy()
    {
        foreach (var host in s_hosts.Distinct())
        {
            if (Directory.Exists(_scratch[host])) Directory.Delete(_scratch[host], recursive: true);
            s_tiny.Write(_scratch, host);
        }
    }

    [OneTimeTearDown]
    public void End() => _scratch.Dispose();

    [Test]
    public void EqualCopiesAreTheSameOnEveryRank()
    {
        var shards = Shards("node1");
        File.WriteAllText(_scratch["node1", "SHA256SUMS"], $"{Sha256(shards[0])}  {Path.GetFileName(shards[0])}\n{Sha256(shards[1])} *"
            + $"{Path.GetFileName(shards[1])}\n");
        var found = Check();
        Assert.That(found.Select(file => (file.File, file.Bytes, file.Sha256)), Is.EqualTo(shards.Select(shard =>
            (Path.GetFileName(shard), new FileInfo(shard).Length, Sha256(shard)))));
        Assert.That(found.Select(file => file.ConfirmedBy), Is.All.EqualTo(new[] { _scratch["node1", "SHA256SUMS"] }));
    }

    /// <summary>A byte outside all samples: fingerprints are equal, and whole files are not.</summary>
    [Test]
    public void AByteThatDiffersIsFoundInWhichFileAndWhere()
    {
        var shard = Shards("node2")[0];
        var at = new SafeTensorsReader(_scratch["node2"]).OffsetOf("model.embed_tokens.weight") + 5000;
        Flip(shard, at);
        Assert.That(Fingerprint("node2"), Is.EqualTo(Fingerprint("node1")));
        var failure = Assert.Throws(Is.InstanceOf<UserErrorException>(), () => Check())!;
        Assert.That(failure.Message, Does.StartWith($"{Shards("node1")[0]} has the SHA-256 {Sha256(Shards("node1")[0])} on node1, but "
            + $"{Sha256(shard)} on node2 (rank 2); give every rank the same files"));
    }

    /// <summary>What the launch compares without being asked: blocks at each tensor's ends and between.</summary>
    [TestCase(0)]
    [TestCase(2000 * 32 * 4 - 1)]
    [TestCase((2000 * 32 * 4 - 4096) / 3)]
    public void ASampledByteThatDiffersIsRefusedAtLaunch(int place)
    {
        Flip(Shards("node2")[0], new SafeTensorsReader(_scratch["node2"]).OffsetOf("model.embed_tokens.weight") + place);
        Assert.That(Fingerprint("node2"), Is.Not.EqualTo(Fingerprint("node1")));
    }

    [Test]
    public void WhatCameWithTheFilesIsBelieved([Values("SHA256SUMS", "metadata", "link")] string source)
    {
        foreach (var host in s_hosts.Distinct())
        {
            var shard = Shards(host)[1];
            var name = Path.GetFileName(shard);
            var wrong = new string('a', 64);
            if (source == "SHA256SUMS") File.WriteAllText(_scratch[host, source], $"{wrong}  {name}\n");
            else if (source == "metadata")
                _scratch.File(Path.Combine(host, ".cache", "huggingface", "download", $"{name}.metadata"),
                    $"main\n{wrong}\n1700000000.5\n");
            else
            {
                Directory.CreateDirectory(_scratch[host, "blobs"]);
                File.Move(shard, _scratch[host, "blobs", wrong]);
                File.CreateSymbolicLink(shard, Path.Combine("blobs", wrong));
            }
        }
        var failure = Assert.Throws(Is.InstanceOf<UserErrorException>(), () => Check())!;
        Assert.That(failure.Message, Does.Match("^/.*-00002-of-00002.safetensors has the SHA-256 [0-9a-f]{64}, but .* says a{64}; fetch"));
    }

    private IReadOnlyList<VerifiedFile> Check()
    {
        var found = new IReadOnlyList<VerifiedFile>[s_hosts.Length];
        ThreadWorld.Run(s_hosts.Length, world =>
        {
            using var checkpoint = Checkpoint.Open(_scratch[s_hosts[world.Rank]]);
            found[world.Rank] = VerifiedWeights.Check(world, NodeTopology.From(s_hosts, s_hosts, world.Rank), checkpoint,
                new NoProgress());
        });
        Assert.That(found.Select(files => files.Select(file => file.Sha256)), Is.All.EqualTo(found[0].Select(file => file.Sha256)));
        return found[0];
    }

    private string[] Shards(string host) => [.. Directory.GetFiles(_scratch[host], "*.safetensors").Order(StringComparer.Ordinal)];

    private string Fingerprint(string host)
    {
        using var checkpoint = Checkpoint.Open(_scratch[host]);
        return checkpoint.Fingerprint;
    }

    private static string Sha256(string file) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file)));

    private static void Flip(string file, long at)
    {
        using var stream = new FileStream(file, FileMode.Open);
        stream.Position = at;
        var value = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(value ^ 1));
    }
}
