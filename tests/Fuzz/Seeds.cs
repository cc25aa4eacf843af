using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Harness.Models.Llama.Configuration;
using Harness.Models.Llama.Tokenizers;
using Harness.Sharding;

namespace Harness.Fuzz;

/// <summary>Small files that every reader takes.</summary>
internal static class Seeds
{
    public static IReadOnlyList<byte[]> Of(params string[] texts) => [.. texts.Select(Encoding.UTF8.GetBytes)];

    /// <summary>JSON lines as two members of gzip, and as two frames of zstd.</summary>
    public static IEnumerable<byte[]> Packed()
    {
        using var gzip = new MemoryStream();
        for (var member = 0; member < 2; member++)
            using (var packing = new GZipStream(gzip, CompressionLevel.Optimal, leaveOpen: true))
                packing.Write(Encoding.UTF8.GetBytes(JsonLines));
        yield return gzip.ToArray();
        using var zstd = new ZstdSharp.Compressor();
        var frame = zstd.Wrap(Encoding.UTF8.GetBytes(JsonLines)).ToArray();
        yield return [.. frame, .. frame];
    }

    public const string LlamaConfigJson = """
        {"model_type":"llama","architectures":["LlamaForCausalLM"],"hidden_size":8,"intermediate_size":16,"num_hidden_layers":2,
        "num_attention_heads":4,"num_key_value_heads":2,"head_dim":2,"vocab_size":8,"max_position_embeddings":64,"rms_norm_eps":1e-5,
        "tie_word_embeddings":false,"rope_theta":10000.0,"rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,
        "high_freq_factor":4.0,"original_max_position_embeddings":32},"hidden_act":"silu","torch_dtype":"float32","eos_token_id":[1,2],
        "bos_token_id":1,"attention_bias":false,"temperature":0.6}
        """;

    public const string MistralConfigJson = """
        {"architectures":["MistralForCausalLM"],"hidden_size":8,"intermediate_size":16,"num_hidden_layers":1,"num_attention_heads":2,
        "vocab_size":8,"sliding_window":null,"rope_parameters":{"type":"linear","factor":2,"rope_theta":1e6},"dtype":"bfloat16",
        "num_key_value_heads":1,"tie_word_embeddings":true,"max_position_embeddings":128}
        """;

    public const string Generation = """{"eos_token_id":[1,2],"bos_token_id":1,"pad_token_id":null,"do_sample":true,"temperature":0.6}""";

    public const string TokenizerConfig = """
        {"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"add_eos_token":false,"bos_token":{"content":"<s>","special":true},
        "eos_token":"</s>","unk_token":"<unk>","legacy":false,"add_prefix_space":true,"additional_special_tokens":["<s>"],
        "added_tokens_decoder":{"0":{"content":"<unk>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
        "1":{"content":"<s>","lstrip":true,"special":true},"2":{"content":"</s>","rstrip":true,"special":true}},"chat_template":"x"}
        """;

    public static readonly string[] ChatTemplates =
    [
        """
        {{- bos_token }}{%- set ns = namespace(last=-1, found=false) %}{#- a comment #}
        {%- for message in messages[::-1] if message.role == 'user' %}
            {%- if not ns.found and loop.first %}{% set ns.found, x = true, 1 %}{% set ns.last = loop.index0 * 2 - 1 // 3 %}{% endif %}
        {%- else %}none{% endfor %}
        {% for k, v in {'a': [1, 2.5, "x\n"], 'b': none}|items if k is string and v is not none %}{{ v|tojson(indent=2) ~ k }}{% break %}
        {% endfor %}{{ messages[0]['content'].strip().split('a', 1)[-1]|upper|trim|default('y', true) if 1 < 2 <= 3 else 'z' }}
        """,
        """
        {%- macro part(text, more='', other=none) -%}<|{{ text }}|>{{ more * 3 + text[1:-1] }}{%- endmacro %}
        {% if messages[0]['role'] == 'system' and 'x' in messages[0].content %}{% set system = messages[0].content|trim %}
        {% elif strftime_now is defined %}{{ strftime_now('%d %b %Y') }}{% else %}{{ raise_exception('no ' + "one") }}{% endif %}
        {% for i in range(1, 9, 2) %}{{ part(i|string, other=i) }}{{ messages|selectattr('role', 'equalto', 'user')|map(attribute='content')
        |join(', ')|replace('b', 'cc')|indent(2) }}{% endfor %}{% raw %}{{ x }}{% endraw %}{% set y %}a{% endset %}
        {% generation %}{{ [(2, -1), (1, 2)] | sort(attribute='0') | length }}{% endgeneration %}
        """,
        "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token|d }}{% endfor %}",
    ];

    public const string SpecialTokensMap =
        """{"bos_token":"<s>","eos_token":{"content":"</s>","normalized":false},"additional_special_tokens":["<unk>"]}""";

    /// <summary>Like LLaMA 2's: words begin with a visible space, and unknown characters are bytes.</summary>
    public const string TokenizerJson = """
        {"version":"1.0","truncation":null,"padding":null,"added_tokens":[
        {"id":0,"content":"<unk>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true},
        {"id":1,"content":"<s>","single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true},
        {"id":2,"content":"</s>","single_word":false,"lstrip":false,"rstrip":true,"normalized":true,"special":false}],
        "normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
        {"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
        "pre_tokenizer":null,"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
        {"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[1],"tokens":["<s>"]}}},
        "decoder":{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
        {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]},"model":{"type":"BPE","dropout":null,"unk_token":"<unk>",
        "continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":true,"byte_fallback":true,"ignore_merges":false,
        "vocab":{"<unk>":0,"<s>":1,"</s>":2,"▁":3,"a":4,"b":5,"▁a":6,"ab":7,"<0x63>":8},"merges":["▁ a",["a","b"]]}}
        """;

    /// <summary>Like Llama 3's: bytes as visible characters.</summary>
    public static string ByteLevelJson { get; } = """
        {"added_tokens":[{"id":5,"content":"<|end|>","special":true}],"normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":[
        {"type":"Split","pattern":{"Regex":"PATTERN"},"behavior":"Isolated","invert":false},
        {"type":"Digits","individual_digits":true},{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},
        "post_processor":{"type":"Sequence","processors":[{"type":"ByteLevel"}]},"decoder":{"type":"ByteLevel"},
        "model":{"type":"BPE","ignore_merges":true,"vocab":{"a":0,"b":1,"Ġ":2,"ab":3,"Ġa":4},"merges":["a b","Ġ a"]}}
        """.Replace("PATTERN", JsonEncodedText.Encode(SplitPatterns.Llama3).Value, StringComparison.Ordinal);

    public const string Alpaca = """
        [{"instruction":"Name a colour.","input":"","output":"Red."},
        {"instruction":"Add.","input":"1 2","id":7}]
        """;

    public const string Gsm = """
        {"question":"1 + 1?","answer":"<<1+1=2>>2\n#### 2"}
        {"question":"x","answer":"#### -1,234.50"}
        """;

    public const string ShareGpt = """
        [{"id":"a","conversations":[{"from":"human","value":"Hi"},{"from":"gpt","value":"Ho"}]},
        {"conversations":[]}]
        """;

    public const string JsonLines = """
        {"prompt":"Hi","id":1,"category":"c","answer":"1/2"}
        {"prompt":""}
        {"messages":[{"role":"system","content":"S"},{"role":"user","content":"Hi"},{"role":"assistant","content":"Ho"}]}
        """;

    public static IReadOnlyList<byte[]> SentencePiece() => [SentencePiece(withBytes: false), SentencePiece(withBytes: true)];

    private static byte[] SentencePiece(bool withBytes)
    {
        const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Byte = 6;
        List<(string Text, int Type)> pieces = [("<unk>", Unknown), ("<s>", Control), ("</s>", Control)];
        if (withBytes) pieces.AddRange(Enumerable.Range(0, 256).Select(value => ($"<0x{value:X2}>", Byte)));
        pieces.AddRange([("▁a", Normal), ("ab", Normal), ("▁ab", Normal), ("▁", Normal), ("a", Normal), ("b", Normal)]);
        if (!withBytes) pieces.Add(("[x]", UserDefined));
        var model = new List<byte>();
        foreach (var (number, (text, type)) in pieces.Index())
        {
            var name = Encoding.UTF8.GetBytes(text);
            Add(0x0A, [0x0A, .. ProtobufMutations.Varint(name.Length), .. name, 0x15, .. BitConverter.GetBytes(-(float)number),
                0x18, (byte)type]);
        }
        Add(0x12, [0x18, 2, 0x98, 0x02, withBytes ? (byte)1 : (byte)0]);        // model_type: bpe; byte_fallback
        Add(0x1A, [0x0A, 8, .. "identity"u8, 0x18, 1, 0x20, 0, 0x28, 1]);
        return [.. model];

        void Add(byte tag, byte[] message) => model.AddRange([tag, .. ProtobufMutations.Varint(message.Length), .. message]);
    }

    public static byte[] Tiktoken()
    {
        byte[][] tokens = [.. Enumerable.Range(0, 256).Select(value => new[] { (byte)value }), [.. "ab"u8], [.. " a"u8], [.. "abc"u8]];
        return Encoding.ASCII.GetBytes(string.Concat(tokens.Select((token, rank) => $"{Convert.ToBase64String(token)} {rank}\n")));
    }

    /// <summary>The tensors of the LLaMA that <see cref="LlamaConfigJson"/> describes, all zero, as far as the filter takes them.</summary>
    public static byte[] Weights(Func<string, bool> takes)
    {
        using var config = JsonDocument.Parse(LlamaConfigJson);
        var (header, end) = (new Dictionary<string, object> { ["__metadata__"] = new { format = "pt" } }, 0L);
        foreach (var tensor in new ShardPlan(LlamaConfig.Parse(config.RootElement, "seed").Shape, 1, 1).For(0, 0).Tensors())
        {
            if (!takes(tensor.Name)) continue;
            int[] shape = tensor.TotalRows == 1 ? [tensor.TotalColumns] : [tensor.TotalRows, tensor.TotalColumns];
            header[tensor.Name] = new { dtype = "F32", shape, data_offsets = new[] { end, end += tensor.Elements * sizeof(float) } };
        }
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var length = new byte[sizeof(long)];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        return [.. length, .. json, .. new byte[end]];
    }

    public const string FirstShard = "model-00001-of-00002.safetensors", SecondShard = "model-00002-of-00002.safetensors";

    public static bool IsInFirstShard(string tensor) => tensor.StartsWith("model.layers.0.", StringComparison.Ordinal);

    public static byte[] Index()
    {
        using var config = JsonDocument.Parse(LlamaConfigJson);
        var map = new ShardPlan(LlamaConfig.Parse(config.RootElement, "seed").Shape, 1, 1).For(0, 0).Tensors()
            .ToDictionary(tensor => tensor.Name, tensor => IsInFirstShard(tensor.Name) ? FirstShard : SecondShard);
        return JsonSerializer.SerializeToUtf8Bytes(new { metadata = new { total_size = 1 }, weight_map = map });
    }

    public const string Configuration = """
        {"Model":{"Path":"synthetic:tiny","Dtype":"f32"},"Sharding":{"Tensor":2,"Pipeline":1,"CommDtype":"bf16"},
        "Batch":{"Size":4,"Schedule":"static"},"Generation":{"MaxNewTokens":16,"Temperature":0.7,"TopP":0.9},
        "Repeats":{"Count":3,"UntilCi":"2%","Max":9},"Energy":{"PowerLimits":"300,250.5","SampleInterval":"100ms"},
        "Carbon":{"Intensity":"380","Pue":1.2,"Embodied":100},"Dataset":{"Limit":4,"Seed":7},"Output":{"Name":"x"}}
        """;

    public const string Grid = """
        {"Batch":{"Size":[1,2]},"Sharding":{"Tensor":[1,2],"Pipeline":2},"Energy":{"PowerLimits":"300,250","SmClocks":[1200,1400]},
        "Dataset":{"Name":["alpaca","gsm8k"]},"Output":{"Directory":"results"}}
        """;
}
