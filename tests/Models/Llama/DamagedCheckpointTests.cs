using System.Text;
using Harness.Models.Llama.Checkpoints;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>Checkpoints as broken downloads and wrong conversions leave them: one line that names file and tensor.</summary>
internal sealed class DamagedCheckpointTests
{
    private const string Weights = "model.safetensors";
    private const string Index = "model.safetensors.index.json";

    private ScratchDirectory _scratch = null!;
    private string _model = "";

    [SetUp]
    public void WriteOne()
    {
        _scratch = new();
        _model = new TinyCheckpoint().Write(_scratch);
    }

    [TearDown]
    public void Clean() => _scratch.Dispose();

    private string WeightsFile => Path.Combine(_model, Weights);

    [TestCase(1)]
    [TestCase(1000)]
    public void ATruncatedFileSaysByHowMuch(int missing)
    {
        using (var file = File.OpenWrite(WeightsFile)) file.SetLength(file.Length - missing);
        Expect($"{WeightsFile} is damaged: it is {missing} bytes shorter than its header says (truncated?); fetch the file again");
    }

    [TestCase(0, "it ends within its first 8 bytes")]
    [TestCase(5, "it ends within its first 8 bytes")]
    [TestCase(8, "does not fit its 8 bytes")]
    [TestCase(100, "does not fit its 100 bytes")]
    public void AFileCutWithinItsHeaderIsDamaged(int length, string how)
    {
        using (var file = File.OpenWrite(WeightsFile)) file.SetLength(length);
        Expect($"{WeightsFile} is damaged:", how);
    }

    [TestCase("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "its header claims")]
    [TestCase("<html><body>404: Not Found</body></html>", "its header claims")]
    [TestCase("\0\0\0\0\0\0\0\0", "its header claims 0 bytes")]
    public void AFileThatIsSomethingElseIsDamaged(string content, string how)
    {
        File.WriteAllText(WeightsFile, content);
        Expect($"{WeightsFile} is damaged:", how);
    }

    [TestCase("not json")]
    [TestCase("[1, 2]")]
    [TestCase("{ \"a\": 1 }")]
    [TestCase("{ \"a\": { \"dtype\": \"F32\" } }")]
    [TestCase("{ \"a\": { \"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0] } }")]
    [TestCase("{ \"a\": { \"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 4] } }")]
    [TestCase("{ \"a\": { \"dtype\": 3, \"shape\": [1], \"data_offsets\": [0, 4] } }")]
    [TestCase("{ \"a\": { \"dtype\": null, \"shape\": [1], \"data_offsets\": [0, 4] } }")]
    [TestCase("{ \"a\": { \"dtype\": \"F32\", \"shape\": \"x\", \"data_offsets\": [0, 4] } }")]
    public void AHeaderThatIsNoneIsDamaged(string header)
    {
        WriteHeader(header, 64);
        Expect($"{WeightsFile} is damaged: its header is not a safetensors header; fetch the file again");
    }

    [TestCase("[4, 0]", "tensor a has the byte range 4 to 0")]
    [TestCase("[-4, 0]", "tensor a has the byte range -4 to 0")]
    [TestCase("[0, 9223372036854775807]", "shorter than its header says")]
    [TestCase("[9223372036854775803, 9223372036854775807]", "shorter than its header says")]
    public void AByteRangeOutsideTheFileIsDamage(string offsets, string how)
    {
        WriteHeader($$"""{ "a": { "dtype": "F32", "shape": [1], "data_offsets": {{offsets}} } }""", 64);
        Expect($"{WeightsFile} is damaged:", how);
    }

    [Test]
    public void ATensorOfAnotherShapeIsNamedWithBothShapes()
    {
        Rewrite(t => t.Name.EndsWith("1.mlp.down_proj.weight", StringComparison.Ordinal) ? t with { Shape = [48, 32] } : t);
        Expect($"{WeightsFile}: tensor model.layers.1.mlp.down_proj.weight is [48, 32], but config.json makes it [32, 48]");
    }

    [Test]
    public void ANormOfAnotherWidthIsNamedToo()
    {
        Rewrite(t => t.Name == "model.norm.weight" ? t with { Shape = [16], Bytes = t.Bytes[..64] } : t);
        Expect($"{WeightsFile}: tensor model.norm.weight is [16], but config.json makes it [32]");
    }

    [Test]
    public void ATensorWithFewerBytesThanItsShapeNeedsIsNamed()
    {
        Rewrite(t => t.Name == "model.norm.weight" ? t with { Bytes = t.Bytes[..64] } : t);
        Expect($"{WeightsFile}: tensor model.norm.weight takes 64 bytes, which is not its shape times its dtype; fetch the file again");
    }

    [TestCase("I8")]
    [TestCase("F64")]
    [TestCase("F8_E4M3")]
    public void ADtypeThatIsNotSupportedIsNamed(string dtype)
    {
        Rewrite(t => t.Name.EndsWith("0.self_attn.q_proj.weight", StringComparison.Ordinal) ? t with { DType = dtype } : t);
        Expect($"{WeightsFile}: tensor model.layers.0.self_attn.q_proj.weight has dtype {dtype}; F32, BF16 and F16 are supported");
    }

    [TestCase("model.embed_tokens.weight")]
    [TestCase("model.layers.1.self_attn.v_proj.weight")]
    [TestCase("lm_head.weight")]
    public void ATensorThatIsMissingIsNamed(string name)
    {
        Rewrite(t => t.Name == name ? null : t);
        Expect($"{_model} has no tensor {name}; the checkpoint is incomplete or not a LLaMA");
    }

    [Test]
    public void TensorsThatTheModelDoesNotUseDoNoHarm()
    {
        var tensors = Tensors().Append(new("model.layers.0.self_attn.rotary_emb.inv_freq", "I64", [4], new byte[32])).ToList();
        TinyCheckpoint.WriteFile(WeightsFile, tensors.Select(t => (t.Name, t.DType, t.Shape, t.Bytes)));
        Assert.That(Try(_model), Is.Null);
    }

    [Test]
    public void AShardThatIsMissingIsNamed()
    {
        var model = new TinyCheckpoint { Shards = 3 }.Write(_scratch, "sharded");
        var shard = Path.Combine(model, "model-00002-of-00003.safetensors");
        File.Delete(shard);
        ExpectOf(model, $"cannot read {shard}:");
    }

    [Test]
    public void AShardThatIsTruncatedIsNamed()
    {
        var model = new TinyCheckpoint { Shards = 2 }.Write(_scratch, "sharded");
        var shard = Path.Combine(model, "model-00002-of-00002.safetensors");
        using (var file = File.OpenWrite(shard)) file.SetLength(file.Length - 10);
        ExpectOf(model, $"{shard} is damaged: it is 10 bytes shorter");
    }

    [TestCase("")]
    [TestCase("garbage")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{ \"weight_map\": [] }")]
    [TestCase("{ \"weight_map\": { \"a\": 3 } }")]
    [TestCase("{ \"weight_map\": { \"a\": null } }")]
    public void AnIndexThatIsNoneIsNamed(string content)
    {
        var index = _scratch.File(Path.Combine("model", Index), content);
        Expect($"{index} is not a safetensors index; fetch the file again");
    }

    [Test]
    public void ADirectoryWithoutWeightsSaysWhatWasLookedFor()
    {
        File.Delete(WeightsFile);
        Expect($"{_model} holds neither {Weights} nor {Index}; convert the checkpoint to safetensors");
    }

    [Test]
    public void AModelThatIsNoDirectoryIsNamed()
    {
        ExpectOf(_scratch["nothing"], $"model '{_scratch["nothing"]}' is not a directory; --model takes a Hugging Face checkpoint directory or synthetic:NAME");
        ExpectOf(WeightsFile, $"model '{WeightsFile}' is not a directory; --model takes a Hugging Face checkpoint directory or synthetic:NAME");
    }

    [Test]
    public void AStaleCopyOfTheSameSizeHasAnotherFingerprint()
    {
        string Fingerprint()
        {
            using var checkpoint = Checkpoint.Open(_model);
            return checkpoint.Fingerprint;
        }

        var first = Fingerprint();
        Assert.That(Fingerprint(), Is.EqualTo(first));
        new TinyCheckpoint { Seed = 2 }.Write(_scratch);
        Assert.That(Fingerprint(), Is.Not.EqualTo(first));
    }

    private sealed record StoredTensor(string Name, string DType, int[] Shape, byte[] Bytes);

    private IEnumerable<StoredTensor> Tensors()
    {
        var reader = new SafeTensorsReader(_model);
        foreach (var (name, shape) in new TinyCheckpoint().Tensors())
            yield return new(name, "F32", shape, [.. reader.Read(name).Values.SelectMany(v => BitConverter.GetBytes((float)v))]);
    }

    private void Rewrite(Func<StoredTensor, StoredTensor?> change) =>
        TinyCheckpoint.WriteFile(WeightsFile, Tensors().ToList().Select(change).OfType<StoredTensor>().Select(t => (t.Name, t.DType, t.Shape, t.Bytes)));

    private void WriteHeader(string header, int dataBytes)
    {
        var text = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(WeightsFile, [.. BitConverter.GetBytes((long)text.Length), .. text, .. new byte[dataBytes]]);
    }

    private void Expect(params string[] parts) => ExpectOf(_model, parts);

    private static void ExpectOf(string model, params string[] parts)
    {
        var message = Try(model);
        foreach (var part in parts) Assert.That(message, Does.Contain(part));
        Assert.That(message, Does.Not.Contain("\n"));
    }

    /// <summary>Opens and loads; the message of what goes wrong, null where nothing does.</summary>
    private static string? Try(string model)
    {
        try
        {
            new ShardedModel(model).OnEveryRank(_ => 0);
            return null;
        }
        catch (UserErrorException e)
        {
            return e.Message;
        }
    }
}
