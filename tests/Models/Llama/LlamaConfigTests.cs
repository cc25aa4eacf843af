using System.Text.Json;
using System.Text.Json.Nodes;
using Harness.Common;
using Harness.Models.Llama.Configuration;
using Harness.Tensors;

namespace Harness.Tests.Models.Llama;

/// <summary>config.json: what is read, and what is refused by name because the model would be another one.</summary>
internal sealed class LlamaConfigTests
{
    private const string Plain = """
        { "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5,
          "num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 512, "max_position_embeddings": 300, "rms_norm_eps": 1e-05 }
        """;

    [Test]
    public void AbsentSettingsAreThoseOfTransformers()
    {
        var config = Parse("""{ "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5, "num_attention_heads": 8, "vocab_size": 512 }""");
        Assert.Multiple(() =>
        {
            Assert.That(config.Shape, Is.EqualTo(new Harness.Sharding.ModelShape(5, 64, 172, 8, 8, 8, 512, TiedEmbeddings: false)));
            Assert.That(config.NormEpsilon, Is.EqualTo(1e-6f));
            Assert.That(config.MaxPositions, Is.EqualTo(2048));
            Assert.That(config.Window, Is.Zero);
            Assert.That(config.DType, Is.Null);
            Assert.That(config.Notes, Is.Empty);
            Assert.That(config.Rotary.Frequencies, Is.EqualTo(new[] { 1, 0.1f, 0.01f, 0.001f }).Within(1e-7f), "theta 10000");
        });
    }

    /// <summary>MistralConfig of transformers 5, models/mistral/configuration_mistral.py.</summary>
    [Test]
    public void AbsentSettingsOfMistralAreThoseOfItsOwnConfiguration()
    {
        var config = Parse("""{ "model_type": "mistral", "hidden_size": 128, "intermediate_size": 172, "num_hidden_layers": 5, "num_attention_heads": 16, "vocab_size": 512 }""");
        Assert.Multiple(() =>
        {
            Assert.That(config.Shape.KeyValueHeads, Is.EqualTo(8));
            Assert.That(config.MaxPositions, Is.EqualTo(131_072));
            Assert.That(config.Window, Is.EqualTo(4096));
            Assert.That(config.NormEpsilon, Is.EqualTo(1e-6f));
        });
    }

    /// <summary>model_type chooses, as in transformers' auto classes; architectures only where it is missing.</summary>
    [TestCase("\"model_type\": \"mistral\", \"architectures\": [\"MistralForCausalLM\"]", 4096, 0)]
    [TestCase("\"model_type\": \"mistral\", \"architectures\": [\"MistralForCausalLM\"], \"sliding_window\": null", 0, 0)]
    [TestCase("\"model_type\": \"mistral\", \"architectures\": [\"MistralForCausalLM\"], \"sliding_window\": 32, \"num_key_value_heads\": "
        + "null", 32, 0)]
    [TestCase("\"model_type\": null, \"architectures\": [\"MistralForCausalLM\"]", 4096, 0)]
    [TestCase("\"model_type\": \"mistral\"", 4096, 1)]
    [TestCase("\"model_type\": \"llama\", \"architectures\": [\"MistralForCausalLM\"]", 0, 1)]
    [TestCase("\"sliding_window\": 300", 0, 0)]
    public void TheWindowIsThatOfTheFamily(string further, int window, int notes)
    {
        var config = With(further);
        Assert.That(config.Window, Is.EqualTo(window));
        Assert.That(config.Notes, Has.Count.EqualTo(notes));
    }

    [TestCase("\"torch_dtype\": \"auto\"", null, 0)]
    [TestCase("\"torch_dtype\": \"torch.float16\"", DType.F16, 0)]
    [TestCase("\"dtype\": \"float64\"", null, 1)]
    [TestCase("\"torch_dtype\": \"float64\"", null, 1)]
    [TestCase("\"dtype\": \"bfloat16\", \"torch_dtype\": \"float32\"", DType.BF16, 1)]
    [TestCase("\"dtype\": \"bfloat16\", \"torch_dtype\": \"bfloat16\"", DType.BF16, 0)]
    public void DtypeGoesBeforeTorchDtypeAndMayLeaveItToTheWeights(string further, DType? dtype, int notes)
    {
        var config = With(further);
        Assert.That(config.DType, Is.EqualTo(dtype));
        Assert.That(config.Notes, Has.Count.EqualTo(notes));
    }

    /// <summary>
    /// convert_rope_params_to_dict of transformers 5: rope_scaling or rope_parameters, whole; rope_theta of the section, then beside it;
    /// rope_type, then type.
    /// </summary>
    [TestCase("\"rope_scaling\": { \"rope_type\": \"linear\", \"factor\": 2.0 }, \"rope_parameters\": { \"rope_type\": \"default\", "
        + "\"rope_theta\": 500000.0 }",
        "\"rope_scaling\": { \"rope_type\": \"linear\", \"factor\": 2.0 }",
            "rope_scaling and rope_parameters differ; rope_scaling goes first")]
    [TestCase("\"rope_scaling\": {}, \"rope_parameters\": { \"rope_theta\": 500000.0 }", "\"rope_theta\": 500000.0", null)]
    [TestCase("\"rope_theta\": 10000.0, \"rope_parameters\": { \"rope_theta\": 500000.0 }", "\"rope_theta\": 500000.0",
        "rope_theta is 10000, but 500000 with the other RoPE settings")]
    [TestCase("\"rope_scaling\": { \"rope_type\": \"default\", \"type\": \"linear\" }", "",
        "rope_type is default and type linear; rope_type goes first")]
    [TestCase("\"rope_scaling\": { \"type\": \"linear\", \"factor\": 2.0, \"beta_fast\": 32 }",
        "\"rope_scaling\": { \"type\": \"linear\", \"factor\": 2.0 }", "not followed: beta_fast")]
    [TestCase("\"original_max_position_embeddings\": 64, \"rope_scaling\": { \"rope_type\": \"llama3\", \"factor\": 8, "
        + "\"low_freq_factor\": 1, \"high_freq_factor\": 4, \"original_max_position_embeddings\": 128 }",
        "\"rope_scaling\": { \"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
            + "\"original_max_position_embeddings\": 64 }", null)]
    [TestCase("\"rope_scaling\": { \"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4 }",
        "\"rope_scaling\": { \"rope_type\": \"llama3\", \"factor\": 8, \"low_freq_factor\": 1, \"high_freq_factor\": 4, "
            + "\"original_max_position_embeddings\": 300 }", null)]
    public void RopeSettingsFollowTheOrderOfTransformers(string both, string same, string? note)
    {
        var (actual, expected) = (With("\"head_dim\": 64, " + both), With("\"head_dim\": 64" + (same.Length > 0 ? ", " + same : "")));
        Assert.That(actual.Rotary.Frequencies, Is.EqualTo(expected.Rotary.Frequencies));
        Assert.That(actual.Notes, note == null ? Is.Empty : Has.One.Contains(note));
    }

    [TestCase("\"use_magic\": true, \"flavour\": \"sweet\"", "models/x/config.json: not followed: use_magic, flavour; not known here")]
    [TestCase("\"do_sample\": true, \"top_p\": 0.9, \"num_beams\": 1",
        "models/x/config.json: not followed: do_sample, top_p; settings of generation are the run's own")]
    public void WhatIsNotFollowedIsNamedInALine(string further, string note) =>
        Assert.That(With(further).Notes, Is.EqualTo(new[] { note })
        .Using<string>((actual, start) => actual.StartsWith(start, StringComparison.Ordinal)));

    [TestCase("\"torch_dtype\": \"bfloat16\"", DType.BF16)]
    [TestCase("\"dtype\": \"float16\"", DType.F16)]
    [TestCase("\"torch_dtype\": null, \"dtype\": \"float32\"", DType.F32)]
    public void OlderFilesSayTorchDtypeAndNewerOnesDtype(string further, DType dtype) =>
        Assert.That(With(further).DType, Is.EqualTo(dtype));

    /// <summary>One of each pair as transformers 4 writes it, the other as transformers 5.</summary>
    [TestCase("\"rope_theta\": 500000.0", "\"rope_parameters\": { \"rope_type\": \"default\", \"rope_theta\": 500000.0 }")]
    [TestCase("\"rope_scaling\": { \"type\": \"linear\", \"factor\": 4 }",
        "\"rope_parameters\": { \"rope_type\": \"linear\", \"factor\": 4.0, \"rope_theta\": 10000.0 }")]
    [TestCase("""
        "rope_theta": 500000.0, "rope_scaling": { "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3" }
        """, """
        "rope_parameters": { "factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3", "rope_theta": 500000.0 }
        """)]
    [TestCase("\"rope_scaling\": null", "\"rope_scaling\": { \"rope_type\": \"default\" }")]
    public void RopeSettingsOfEitherStyleAreTheSame(string older, string newer) =>
        Assert.That(With("\"head_dim\": 64, " + newer).Rotary.Frequencies,
            Is.EqualTo(With("\"head_dim\": 64, " + older).Rotary.Frequencies));

    [TestCase("\"rope_theta\": 500000.0")]
    [TestCase("\"rope_scaling\": { \"type\": \"linear\", \"factor\": 8.0 }")]
    [TestCase("""
        "rope_theta": 500000.0, "rope_scaling": { "factor": 8.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3" }
        """)]
    public void FrequenciesAreThoseOfFloat64(string further)
    {
        var json = JsonNode.Parse($"{{ {further} }}")!;
        var expected = ReferenceModel.Frequencies(json, 128);
        var actual = With("\"head_dim\": 128, " + further).Rotary.Frequencies;
        Assert.That(actual, Has.Length.EqualTo(64));
        for (var i = 0; i < 64; i++)
            Assert.That(actual[i], Is.EqualTo(expected[i]).Within(6e-8 * expected[i]), $"pair {i}: float64, rounded once");
    }

    /// <summary>The config.json that is published with Qwen/Qwen2.5-0.5B: 494,032,768 parameters by its model card's weights.</summary>
    [Test]
    public void Qwen2IsReadAsPublished()
    {
        var config = Parse("""
            {
              "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151643,
              "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02, "intermediate_size": 4864,
              "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": 14,
              "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
              "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.40.1",
              "use_cache": true, "use_mrope": false, "use_sliding_window": false, "vocab_size": 151936
            }
            """);
        Assert.That(config.Notes, Is.Empty);
        Assert.That((config.Shape.QkvBias, config.Shape.HeadNorms, config.Window), Is.EqualTo((true, false, 0)));
        Assert.That(config.Shape.Parameters, Is.EqualTo(494_032_768));
    }

    /// <summary>The config.json that is published with Qwen/Qwen3-0.6B: 596,049,920 parameters in its weights, the head being tied.</summary>
    [Test]
    public void Qwen3IsReadAsPublished()
    {
        var config = Parse("""
            {
              "architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 151643,
              "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "initializer_range": 0.02,
              "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
              "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
              "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "tie_word_embeddings": true,
              "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "use_cache": true, "use_sliding_window": false,
              "vocab_size": 151936
            }
            """);
        Assert.That(config.Notes, Is.Empty);
        Assert.That((config.Shape.QkvBias, config.Shape.HeadNorms, config.Shape.HeadDimension), Is.EqualTo((false, true, 128)));
        Assert.That(config.Shape.Parameters, Is.EqualTo(596_049_920));
    }

    [TestCase("\"use_sliding_window\": true, \"sliding_window\": 128, \"max_window_layers\": 5", 0)]
    [TestCase("\"use_sliding_window\": true, \"sliding_window\": 128, \"max_window_layers\": 0", 128)]
    [TestCase("\"use_sliding_window\": true, \"sliding_window\": null, \"max_window_layers\": 0", 0)]
    [TestCase("\"use_sliding_window\": false, \"sliding_window\": 128, \"max_window_layers\": 0", 0)]
    [TestCase("\"layer_types\": [\"full_attention\", \"full_attention\"]", 0)]
    public void TheWindowOfQwenIsSwitched(string further, int window) =>
        Assert.That(With("\"model_type\": \"qwen2\", " + further).Window, Is.EqualTo(window));

    [TestCase("\"model_type\": \"qwen2\", \"use_sliding_window\": true, \"sliding_window\": 128, \"max_window_layers\": 3",
        "max_window_layers = 3 cannot be honoured; of 5 layers, the others would have a window of 128 tokens")]
    [TestCase("\"model_type\": \"qwen3\", \"max_window_layers\": -1, \"use_sliding_window\": true",
        "max_window_layers = -1 cannot be honoured; a whole number of at least 0 is expected")]
    [TestCase("\"model_type\": \"qwen3\", \"layer_types\": [\"full_attention\", \"sliding_attention\"]",
        "layer_types = sliding_attention cannot be honoured; every layer attends in the same way here, as full_attention")]
    [TestCase("\"layer_types\": 7", "layer_types = 7 cannot be honoured; a list of words is expected")]
    [TestCase("\"model_type\": \"qwen2_moe\"", "model_type = qwen2_moe cannot be honoured; supported: llama, mistral, qwen2, qwen3")]
    [TestCase("\"architectures\": [\"Qwen2MoeForCausalLM\"]",
        "architectures = Qwen2MoeForCausalLM cannot be honoured; supported: LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM")]
    [TestCase("\"model_type\": \"gemma2\"", "model_type = gemma2 cannot be honoured; supported: llama, mistral")]
    [TestCase("\"attention_bias\": true", "attention_bias = True cannot be honoured; a bias of attention's output")]
    [TestCase("\"mlp_bias\": true", "mlp_bias = True cannot be honoured; only models without bias are supported")]
    [TestCase("\"hidden_act\": \"gelu\"", "hidden_act = gelu cannot be honoured; supported: silu")]
    [TestCase("\"quantization_config\": { \"quant_method\": \"gptq\" }",
        "quantization_config = {\"quant_method\":\"gptq\"} cannot be honoured; only f32, bf16 and f16 weights are supported")]
    [TestCase("\"partial_rotary_factor\": 0.5", "partial_rotary_factor = 0.5 cannot be honoured; supported: 1")]
    [TestCase("\"rope_scaling\": { \"rope_type\": \"yarn\", \"factor\": 4.0 }",
        "rope_scaling: rope_type = yarn cannot be honoured; supported: default, linear, llama3")]
    [TestCase("\"rope_scaling\": { \"type\": \"dynamic\", \"factor\": 4.0 }", "rope_type = dynamic cannot be honoured")]
    [TestCase("\"rope_parameters\": { \"rope_type\": \"longrope\" }", "rope_parameters: rope_type = longrope cannot be honoured")]
    [TestCase("\"rope_parameters\": { \"partial_rotary_factor\": 0.5 }", "partial_rotary_factor = 0.5 cannot be honoured; supported: 1")]
    [TestCase("\"rope_scaling\": \"linear\"", "rope_scaling = linear cannot be honoured")]
    [TestCase("\"rope_scaling\": [\"linear\", 4]", "rope_scaling = ")]
    [TestCase("\"rope_scaling\": { \"type\": \"linear\" }", "rope_scaling lacks 'factor'")]
    [TestCase("\"rope_scaling\": { \"type\": \"linear\", \"factor\": 0 }", "rope_scaling: factor = 0 cannot be honoured")]
    [TestCase("\"rope_scaling\": { \"rope_type\": \"llama3\", \"factor\": 8.0 }", "rope_scaling lacks 'low_freq_factor'")]
    [TestCase("\"rope_scaling\": { \"factor\": 4.0 }", "rope_scaling: factor = 4 cannot be honoured; there is no rope_type that reads it")]
    [TestCase("\"rope_parameters\": { \"rope_type\": \"default\", \"factor\": 4.0 }", "rope_parameters: factor = 4 cannot be honoured")]
    [TestCase("\"rope_parameters\": { \"full_attention\": { \"rope_theta\": 10000 } }", "rope_parameters: full_attention = ")]
    [TestCase("\"layer_types\": [\"sliding_attention\"]", "layer_types = ")]
    [TestCase("\"sliding_window\": 32", "sliding_window = 32 cannot be honoured; the attention of LlamaForCausalLM has no window")]
    [TestCase("\"model_type\": \"mistral\", \"use_sliding_window\": false", "use_sliding_window = false cannot be honoured")]
    [TestCase("\"qk_layernorm\": true", "qk_layernorm = True cannot be honoured; its name belongs to what a model computes")]
    [TestCase("\"embedding_multiplier\": 12.0", "embedding_multiplier = 12.0 cannot be honoured")]
    [TestCase("\"num_local_experts\": 8", "num_local_experts = 8 cannot be honoured")]
    [TestCase("\"rope_theta\": 0", "rope_theta = 0 cannot be honoured")]
    [TestCase("\"torch_dtype\": \"float8_e4m3fn\"", "config.json: torch_dtype = float8_e4m3fn cannot be honoured; supported: ")]
    [TestCase("\"num_key_value_heads\": 3", "num_key_value_heads = 3 cannot be honoured; it must divide num_attention_heads, 8")]
    [TestCase("\"head_dim\": 7", "head_dim = 7 cannot be honoured; rotary embedding needs an even number of features per head")]
    [TestCase("\"hidden_size\": 4", "hidden_size = 4 cannot be honoured; it must be a multiple of num_attention_heads, 8")]
    [TestCase("\"hidden_size\": 64.5", "hidden_size = 64.5 cannot be honoured; a whole number of at least 1 is expected")]
    [TestCase("\"num_hidden_layers\": 0", "num_hidden_layers = 0 cannot be honoured; a whole number of at least 1 is expected")]
    [TestCase("\"num_hidden_layers\": \"5\"", "num_hidden_layers = 5 cannot be honoured; a whole number of at least 1 is expected")]
    [TestCase("\"num_hidden_layers\": 2147483647", "num_hidden_layers = 2147483647 cannot be honoured; at most 10000 is expected")]
    [TestCase("\"vocab_size\": 2147483647", "vocab_size = 2147483647 cannot be honoured; at most 16777216 is expected")]
    [TestCase("\"hidden_size\": 16777216, \"intermediate_size\": 16777216", "it makes 8.44E+15 parameters, more than 1E+15")]
    [TestCase("\"max_position_embeddings\": 1073741824, \"head_dim\": 65536", "would be 2.81E+15 numbers, more than 1E+15")]
    [TestCase("\"intermediate_size\": null", "config.json lacks 'intermediate_size'; is this a LLaMA checkpoint?")]
    [TestCase("\"attention_bias\": \"no\"", "attention_bias = no cannot be honoured; a bias of attention's output")]
    [TestCase("\"rms_norm_eps\": \"small\"", "rms_norm_eps = small cannot be honoured; a number is expected")]
    public void WhatCannotBeHonouredIsRefusedByKeyAndValue(string further, string message)
    {
        var error = Assert.Throws<UserErrorException>(() => With(further))!;
        Assert.That(error.Message, Does.StartWith("models/x/config.json").And.Contain(message).And.Not.Contain("\n"));
    }

    [TestCase("\"attention_bias\": false, \"mlp_bias\": false, \"hidden_act\": \"silu\", \"partial_rotary_factor\": 1.0")]
    [TestCase("\"architectures\": [\"MistralForCausalLM\"], \"model_type\": \"mistral\", \"sliding_window\": null, \"head_dim\": null")]
    [TestCase("\"rope_scaling\": null, \"quantization_config\": null, \"pretraining_tp\": 1, \"use_cache\": true")]
    [TestCase("\"qk_norm\": false, \"rope_interleaved\": false, \"residual_multiplier\": 1.0, \"logit_softcapping\": null, "
        + "\"pruned_heads\": {}, \"max_window_layers\": 0")]
    public void WhatChangesNothingIsAccepted(string further) =>
        Assert.That(With(further).Shape.Parameters, Is.EqualTo(With("").Shape.Parameters));

    [TestCase("", "is empty; fetch it again")]
    [TestCase("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer")]
    [TestCase("not json", "is not valid JSON (line 1)")]
    [TestCase("{ \"hidden_size\": 64,\n", "is not valid JSON (line 2)")]
    [TestCase("{\n\"hidden_act\": \"\\ud800\" }", "is not valid JSON (line 2)")]
    [TestCase("[]", "lacks 'num_attention_heads'")]
    [TestCase("42", "lacks 'num_attention_heads'")]
    public void AFileThatIsNoConfigurationIsNamed(string content, string message)
    {
        using var scratch = new ScratchDirectory();
        var file = scratch.File("config.json", content);
        Assert.That(() => LlamaConfig.Load(file),
            Throws.TypeOf<UserErrorException>().With.Message.StartsWith(file).And.Message.Contains(message));
    }

    [Test]
    public void AFileThatIsNotThereIsNamedWithWhatModelTakes()
    {
        using var scratch = new ScratchDirectory();
        Assert.That(() => LlamaConfig.Load(scratch["config.json"]), Throws.TypeOf<UserErrorException>()
            .With.Message.Contains(scratch["config.json"]).And.Message.Contains(
                "--model takes a Hugging Face checkpoint directory or synthetic:NAME"));
    }

    /// <summary>The plain configuration with members replaced or added.</summary>
    private static LlamaConfig With(string further)
    {
        var config = JsonNode.Parse(Plain)!.AsObject();
        foreach (var (key, value) in JsonNode.Parse($"{{{further}}}")!.AsObject()) config[key] = value?.DeepClone();
        return Parse(config.ToJsonString());
    }

    private static LlamaConfig Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return LlamaConfig.Parse(document.RootElement, "models/x/config.json");
    }
}
