using System.Text;
using Harness.Common;
using Harness.Models.Llama.Checkpoints;
using Harness.Sharding;
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

    [TestCase(5, "it ends within its first 8 bytes")]
    [TestCase(8, "does not fit its 8 bytes")]
    [TestCase(100, "does not fit its 100 bytes")]
    public void AFileCutWithinItsHeaderIsDamaged(int length, string how)
    {
        using (var file = File.OpenWrite(WeightsFile)) file.SetLength(length);
        Expect($"{WeightsFile} is damaged:", how);
    }

    [TestCase("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "is a Git LFS pointer, not the file itself; run 'git lfs pull' where it was cloned")]
    [TestCase("<html><body>404: Not Found</body></html>", "is a web page, as an error or a login gives it; fetch the file again")]
    [TestCase("\0\0\0\0\0\0\0\0", "is damaged: its header claims 0 bytes; fetch the file again")]
    [TestCase("", "is empty; fetch it again")]
    public void AFileThatIsSomethingElseIsCalledByItsName(string content, string what)
    {
        File.WriteAllText(WeightsFile, content);
        Expect($"{WeightsFile} {what}");
    }

    /// <summary>As a download that begins again, or a copy onto it, leaves a file for a while.</summary>
    [Test]
    public void AFileThatIsCutWhileItIsReadEndsInOneLine()
    {
        using var checkpoint = new HuggingFaceCheckpoint(_model);
        var length = new FileInfo(WeightsFile).Length;
        using (var file = OpenAsOthersDo()) file.SetLength(length / 2);
        Assert.That(() => ReadAll(checkpoint), Throws.TypeOf<UserErrorException>().With.Message.StartsWith(
            $"{WeightsFile} has changed while it was read: {length} bytes of ").And.Message.Contains($"became {length / 2} bytes of "));
    }

    [Test]
    public void AFileThatIsOverwrittenWhileItIsReadEndsInOneLine()
    {
        using var checkpoint = new HuggingFaceCheckpoint(_model);
        ReadAll(checkpoint);
        Assert.That(checkpoint.MustBeAsOpened, Throws.Nothing);
        var before = File.GetLastWriteTimeUtc(WeightsFile);
        using (var file = OpenAsOthersDo()) file.Write(new byte[16]);
        File.SetLastWriteTimeUtc(WeightsFile, before.AddSeconds(1));    // on storage that tells seconds alone, too
        Assert.That(checkpoint.MustBeAsOpened,
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith($"{WeightsFile} has changed while it was read: "));
    }

    /// <summary>As hubs and package managers bring a new version: under another name, then renamed.</summary>
    [Test]
    public void AFileThatIsReplacedIsReadAsItWas()
    {
        var expected = File.ReadAllBytes(WeightsFile)[^(4 * 67 * 32)..];       // the last tensor, 67 × 32 of float32, ends the file
        using var checkpoint = new HuggingFaceCheckpoint(_model);
        File.WriteAllText(_scratch["new"], "");
        File.Move(_scratch["new"], WeightsFile, overwrite: true);
        Assert.That(ReadAll(checkpoint), Is.EqualTo(expected));
        Assert.That(checkpoint.MustBeAsOpened, Throws.Nothing);
    }

    [TestCase("../model.safetensors")]
    [TestCase("/etc/passwd")]
    [TestCase("sub/model.safetensors")]
    [TestCase("../elsewhere/model.safetensors")]
    [TestCase("..")]
    [TestCase("")]
    public void AnIndexThatLeadsElsewhereIsRefused(string shard)
    {
        File.Delete(WeightsFile);
        File.WriteAllText(Path.Combine(_model, Index), $$"""{ "weight_map": { "lm_head.weight": "{{shard}}" } }""");
        Expect($"{Path.Combine(_model, Index)} says that tensor lm_head.weight is in '{shard}', which is no name of a file beside it");
    }

    /// <summary>Programs that know nothing of .NET's locks.</summary>
    private FileStream OpenAsOthersDo() =>
        new(WeightsFile, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);

    /// <returns>The last tensor's bytes.</returns>
    private static byte[] ReadAll(HuggingFaceCheckpoint checkpoint)
    {
        byte[] bytes = [];
        foreach (var tensor in new ShardPlan(checkpoint.Config.Shape, 1, 1).For(0, 0).Tensors())
        {
            var slice = checkpoint.Read(tensor);
            bytes = new byte[slice.Bytes];
            slice.CopyRows(0, slice.Rows, bytes);
        }
        return bytes;
    }

    /// <summary>
    /// The length of a header may look like the beginning of a gzip file (1F 8B) or of UTF-16 (FF FE): such a file is no other one.
    /// </summary>
    [TestCase(0x8B1F)]
    [TestCase(0xFEFF)]
    public void AHeaderWhoseLengthLooksLikeAnotherFormatIsRead(int length)
    {
        var whole = File.ReadAllBytes(WeightsFile);
        var header = BitConverter.ToInt32(whole);
        File.WriteAllBytes(WeightsFile,
            [.. BitConverter.GetBytes((long)length), .. whole[8..(8 + header)], .. Enumerable.Repeat((byte)' ', length - header),
            .. whole[(8 + header)..]]);
        Assert.That(Try(_model), Is.Null);
    }

    /// <summary>
    /// What Metadata::validate of the safetensors crate (safetensors/src/tensor.rs) refuses, too: TensorInvalidInfo, InvalidOffset,
    /// MetadataIncompleteBuffer.
    /// </summary>
    [TestCase("[0, 4]", "[4, 8]", 12, "4 bytes lie behind its last tensor")]
    [TestCase("[0, 8]", "[4, 8]", 8, "tensors a and b overlap at byte 4 of the data")]
    [TestCase("[0, 4]", "[0, 4]", 4, "tensors a and b overlap at byte 0 of the data")]
    [TestCase("[0, 4]", "[8, 12]", 12, "bytes 4 to 8 of the data belong to no tensor")]
    [TestCase("[4, 8]", "[8, 12]", 12, "bytes 0 to 4 of the data belong to no tensor")]
    public void RangesThatDoNotCoverTheDataOnceAreDamage(string first, string second, int dataBytes, string how)
    {
        var length = first == "[0, 8]" ? 2 : 1;
        WriteHeader($$"""{ "b": { "dtype": "F32", "shape": [1], "data_offsets": {{second}} }, "a": { "dtype": "F32", "shape": [{{length}}], "data_offsets": {{first}} } }""", dataBytes);
        Expect($"{WeightsFile} is damaged: {how}; fetch the file again");
    }

    [TestCase("\"F128\"", "[1]", "tensor a has the dtype F128, which safetensors does not know")]
    [TestCase("\"F32\"", "[4611686018427387904, 4611686018427387904, 4611686018427387904]", "is not a safetensors header")]
    public void ATypeOrAShapeThatCannotBeIsDamage(string dtype, string shape, string how)
    {
        WriteHeader($$"""{ "a": { "dtype": {{dtype}}, "shape": {{shape}}, "data_offsets": [0, 4] } }""", 4);
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

    /// <summary>
    /// https://github.com/safetensors/safetensors issues 401 and 278, https://github.com/ruvnet/RuView/issues/1522: the reference refuses a
    /// name that is there twice, metadata that are no texts, and NUL as padding.
    /// </summary>
    [TestCase("{ \"a\": { \"dtype\": \"F32\", \"shape\": [0], \"data_offsets\": [0, 0] }, \"a\": { \"dtype\": \"F32\", \"shape\": [1], "
        + "\"data_offsets\": [0, 4] } }", "its header has tensor a twice")]
    [TestCase("{ \"__metadata__\": { \"step\": 7 } }", "step of its __metadata__ is 7, where safetensors has texts alone")]
    [TestCase("{ \"a\": { \"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4] } }\0\0", "its header is not a safetensors header")]
    [TestCase("{},\"__metadata__\": { \"key\": \"value\" } }", "its header is not a safetensors header")] // issue 466
    public void AHeaderThatTheReferenceRefusesIsDamaged(string header, string how)
    {
        WriteHeader(header, 4);
        Expect($"{WeightsFile} is damaged: {how}; fetch the file again");
    }

    /// <summary>
    /// https://github.com/foundation-model-stack/fastsafetensors/pull/89, https://github.com/safetensors/safetensors/pull/775: the
    /// reference reads these.
    /// </summary>
    [TestCase("\"__metadata__\":{\"format\":\"pt\"}", "\"__metadata__\":{}")]
    [TestCase("\"__metadata__\":{\"format\":\"pt\"}", "\"__metadata__\":null")]
    [TestCase("{\"__metadata__\"", "\n\t {\"__metadata__\"")]
    public void AHeaderThatTheReferenceReadsIsRead(string from, string to)
    {
        EditHeader(WeightsFile, from, to);
        Assert.That(Try(_model), Is.Null);
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

    [TestCase("I8", 1)]
    [TestCase("F64", 8)]
    [TestCase("F8_E4M3", 1)]
    public void ADtypeThatIsNotSupportedIsNamed(string dtype, int bytes)
    {
        Rewrite(t => t.Name.EndsWith("0.self_attn.q_proj.weight", StringComparison.Ordinal)
            ? t with { DType = dtype, Bytes = new byte[32 * 32 * bytes] } : t);
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

    [TestCase("model.layers.0.self_attn.rotary_emb.inv_freq")]
    [TestCase("model.rotary_emb.inv_freq")]
    public void TensorsThatAreKnownToBeHarmlessMayBeThere(string name)
    {
        Append(name);
        Assert.That(Try(_model), Is.Null);
    }

    /// <summary>transformers names such tensors UNEXPECTED and computes another model than was trained.</summary>
    [TestCase("model.layers.2.mlp.up_proj.weight", "config.json has num_hidden_layers = 2")]
    [TestCase("model.layers.0.self_attn.q_proj.bias", "config.json does not ask for it")]
    [TestCase("model.layers.1.self_attn.q_norm.weight", "config.json does not ask for it")]
    [TestCase("model.layers.0.self_attn.k_scale", "config.json does not ask for it")]
    [TestCase("model.layers.0.mlp.experts.0.w1.weight", "config.json does not ask for it")]
    [TestCase("model.layers.0.self_attn.q_proj.lora_A.weight", "config.json does not ask for it")]
    [TestCase("score.weight", "config.json does not ask for it")]
    public void ATensorThatNoLayerReadsIsRefusedByName(string name, string why)
    {
        Append(name);
        Expect($"{WeightsFile}: tensor {name} would be read by no layer; {why}");
    }

    [Test]
    public void SeveralTensorsThatNoLayerReadsAreCounted()
    {
        Append("z.weight", "a.weight", "b.weight");
        Expect($"{WeightsFile}: tensor a.weight and 2 more would be read by no layer");
    }

    /// <summary>
    /// transformers 5 ties only where lm_head.weight is absent or equal ("both are present … with different values, so we will NOT tie
    /// them").
    /// </summary>
    [TestCase(false)]
    [TestCase(true)]
    public void ATiedModelWithAHeadOfOtherValuesUsesIt(bool equal)
    {
        var tied = new TinyCheckpoint { Tied = true }.Write(_scratch, "tied");
        var embedding = Tensors().First(t => t.Name == "model.embed_tokens.weight");
        var head = embedding with { Name = "lm_head.weight", Bytes = equal ? embedding.Bytes : [.. embedding.Bytes.Reverse()] };
        TinyCheckpoint.WriteFile(Path.Combine(tied, Weights), Tensors().Where(t => t.Name != head.Name).Append(head)
            .Select(t => (t.Name, t.DType, t.Shape, t.Bytes)));
        using var checkpoint = Checkpoint.Open(tied);
        Assert.That(checkpoint.Config.Shape.TiedEmbeddings, Is.EqualTo(equal));
        Assert.That(checkpoint.Notes, equal ? Is.Empty
            : Has.One.Contains("tie_word_embeddings is true, but lm_head.weight has other values"));
    }

    /// <summary>
    /// https://github.com/huggingface/transformers/issues/34759: of two tied tensors the file holds one. transformers 5 ties to the one
    /// that is there, so that it is the model whose embedding has these values.
    /// </summary>
    [Test]
    public void ATiedModelMayHaveItsHeadAlone()
    {
        var tied = new TinyCheckpoint { Tied = true }.Write(_scratch, "tied");
        var logits = new ShardedModel(tied).Logits([1, 2, 3]);
        EditHeader(Path.Combine(tied, Weights), "model.embed_tokens.weight", "lm_head.weight");
        Assert.That(new ShardedModel(tied).Logits([1, 2, 3]), Is.EqualTo(logits));
    }

    /// <summary>
    /// https://github.com/huggingface/candle/issues/2358: a head_dim that is not followed. Whatever config.json makes of a tensor is
    /// compared before anything is loaded.
    /// </summary>
    [Test]
    public void ShapesAreComparedWhenTheCheckpointIsOpened()
    {
        var model = new TinyCheckpoint { Further = "\"head_dim\": 16" }.Write(_scratch, "wide");
        new TinyCheckpoint().Write(_scratch, "narrow");
        File.Copy(_scratch["narrow", Weights], Path.Combine(model, Weights), overwrite: true);
        Assert.That(() => Checkpoint.Open(model), Throws.TypeOf<UserErrorException>()
            .With.Message.Contains("tensor model.layers.0.self_attn.q_proj.weight is [32, 32], but config.json makes it [64, 32]"));
    }

    [Test]
    public void AnAdapterBesideTheWeightsIsRefused()
    {
        _scratch.File(Path.Combine("model", "adapter_config.json"), "{}");
        Expect("adapter_config.json: an adapter lies beside the weights", "merge it into them");
    }

    /// <summary>The order of transformers' _get_resolved_checkpoint_files.</summary>
    [Test]
    public void TheSingleFileGoesBeforeAnIndexAndItsShards([Values] bool shardIsGone)
    {
        var old = new TinyCheckpoint { Shards = 2, Seed = 7 }.Write(_scratch, "model");
        if (shardIsGone) File.Delete(Path.Combine(old, "model-00002-of-00002.safetensors"));
        var alone = new TinyCheckpoint().Write(_scratch, "alone");
        using var both = Checkpoint.Open(_model);
        using var one = Checkpoint.Open(alone);
        Assert.That(both.Fingerprint, Is.EqualTo(one.Fingerprint));
        Assert.That(both.Notes, Is.EqualTo(new[] { $"{WeightsFile} is read; {Path.Combine(_model, Index)} and its shards are not, since "
            + "transformers takes the single file first: remove whichever is stale" }));
        Assert.That(one.Notes, Is.Empty);
    }

    [Test]
    public void ShardsThatDoNotBelongToTheIndexAreNamed()
    {
        var model = new TinyCheckpoint { Shards = 2 }.Write(_scratch, "sharded");
        var (first, second) =
            (Path.Combine(model, "model-00001-of-00002.safetensors"), Path.Combine(model, "model-00002-of-00002.safetensors"));
        var content = File.ReadAllBytes(second);
        File.Copy(first, second, overwrite: true);
        ExpectOf(model, $"tensor model.embed_tokens.weight lies in {first} and in {second}; the shards are of two checkpoints");
        File.WriteAllBytes(second, File.ReadAllBytes(first));
        File.WriteAllBytes(first, content);
        ExpectOf(model, "says that tensor model.embed_tokens.weight is in model-00001-of-00002.safetensors, but it is in "
            + "model-00002-of-00002.safetensors");
    }

    [TestCase("\"dtype\": \"bfloat16\"", 1)]
    [TestCase("\"torch_dtype\": \"float16\"", 1)]
    [TestCase("\"torch_dtype\": \"float32\"", 0)]
    [TestCase("\"torch_dtype\": \"auto\"", 0)]
    [TestCase("", 0)]
    public void WeightsOfAnotherTypeThanSaidAreKeptAndNamed(string said, int notes)
    {
        var model = new TinyCheckpoint { Further = said }.Write(_scratch, "typed");
        using var checkpoint = Checkpoint.Open(model);
        Assert.That(checkpoint.DType, Is.EqualTo(DType.F32));
        Assert.That(checkpoint.Notes.Count(note => note.Contains("the weights are stored as f32 and kept so")), Is.EqualTo(notes));
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

    [TestCase("garbage")]
    [TestCase("[]")]
    [TestCase("{}")]
    [TestCase("{ \"weight_map\": [] }")]
    [TestCase("{ \"weight_map\": { \"a\": 3 } }")]
    [TestCase("{ \"weight_map\": { \"a\": null } }")]
    public void AnIndexThatIsNoneIsNamed(string content)
    {
        File.Delete(WeightsFile);
        var index = _scratch.File(Path.Combine("model", Index), content);
        Expect($"{index} is not a safetensors index; fetch the file again");
    }

    [TestCase("", "is empty; fetch it again")]
    [TestCase("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer")]
    public void AnIndexThatIsAnotherFileIsCalledByItsName(string content, string what)
    {
        File.Delete(WeightsFile);
        Expect($"{_scratch.File(Path.Combine("model", Index), content)} {what}");
    }

    [Test]
    public void ADirectoryWithoutWeightsSaysWhatWasLookedFor()
    {
        File.Delete(WeightsFile);
        Expect($"{_model} holds neither {Weights} nor {Index}; convert the checkpoint to safetensors");
        _scratch.File(Path.Combine("model", "model-00001-of-00002.safetensors"), "");
        Expect($"{_model} holds neither {Weights} nor {Index}; fetch the one that belongs to model-00001-of-00002.safetensors");
    }

    [Test]
    public void AModelThatIsNoDirectoryIsNamed()
    {
        ExpectOf(_scratch["nothing"],
            $"model '{_scratch["nothing"]}' is not a directory; --model takes a Hugging Face checkpoint directory or synthetic:NAME");
        ExpectOf(WeightsFile, $"model '{WeightsFile}' is not a directory; --model takes a Hugging Face checkpoint directory or "
            + "synthetic:NAME");
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

    private void Append(params string[] names) =>
        TinyCheckpoint.WriteFile(WeightsFile,
            Tensors().ToList().Concat(names.Select(name => new StoredTensor(name, "F32", [4], new byte[16])))
            .Select(t => (t.Name, t.DType, t.Shape, t.Bytes)));

    private void Rewrite(Func<StoredTensor, StoredTensor?> change) =>
        TinyCheckpoint.WriteFile(WeightsFile, Tensors().ToList().Select(change).OfType<StoredTensor>()
            .Select(t => (t.Name, t.DType, t.Shape, t.Bytes)));

    private static void EditHeader(string file, string from, string to)
    {
        var whole = File.ReadAllBytes(file);
        var length = BitConverter.ToInt32(whole);
        var header = Encoding.UTF8.GetString(whole, 8, length);
        Assert.That(header, Does.Contain(from));
        var changed = Encoding.UTF8.GetBytes(header.Replace(from, to, StringComparison.Ordinal));
        File.WriteAllBytes(file, [.. BitConverter.GetBytes((long)changed.Length), .. changed, .. whole[(8 + length)..]]);
    }

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
