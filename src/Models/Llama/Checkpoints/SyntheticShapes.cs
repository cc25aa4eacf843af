using Harness.Models.Llama.Configuration;
using Harness.Sharding;
using Harness.Tensors;

namespace Harness.Models.Llama.Checkpoints;

/// <summary>Shapes of published models, from their <c>config.json</c>; LLaMA 1's from Touvron et al. 2023, table 2.</summary>
internal static class SyntheticShapes
{
    private const int Llama12 = 32_000, Llama3 = 128_256, Qwen = 151_936, LargeQwen25 = 152_064;

    public static readonly IReadOnlyDictionary<string, LlamaConfig> All = new Dictionary<string, LlamaConfig>
    {
        ["7b"] = Of(new(32, 4096, 11008, 32, 32, 128, Llama12, false), 2048, 1e-6f),
        ["13b"] = Of(new(40, 5120, 13824, 40, 40, 128, Llama12, false), 2048, 1e-6f),
        ["30b"] = Of(new(60, 6656, 17920, 52, 52, 128, Llama12, false), 2048, 1e-6f),
        ["65b"] = Of(new(80, 8192, 22016, 64, 64, 128, Llama12, false), 2048, 1e-6f),
        ["2-7b"] = Of(new(32, 4096, 11008, 32, 32, 128, Llama12, false), 4096),
        ["2-13b"] = Of(new(40, 5120, 13824, 40, 40, 128, Llama12, false), 4096),
        ["2-70b"] = Of(new(80, 8192, 28672, 64, 8, 128, Llama12, false), 4096),
        ["3-8b"] = Of(new(32, 4096, 14336, 32, 8, 128, Llama3, false), 8192, theta: 500_000),
        ["3-70b"] = Of(new(80, 8192, 28672, 64, 8, 128, Llama3, false), 8192, theta: 500_000),
        ["3.1-8b"] = Of(new(32, 4096, 14336, 32, 8, 128, Llama3, false), 131_072, theta: 500_000, stretch: 8),
        ["3.1-70b"] = Of(new(80, 8192, 28672, 64, 8, 128, Llama3, false), 131_072, theta: 500_000, stretch: 8),
        ["3.1-405b"] = Of(new(126, 16384, 53248, 128, 8, 128, Llama3, false), 131_072, theta: 500_000, stretch: 8),
        ["3.2-1b"] = Of(new(16, 2048, 8192, 32, 8, 64, Llama3, true), 131_072, theta: 500_000, stretch: 32),
        ["3.2-3b"] = Of(new(28, 3072, 8192, 24, 8, 128, Llama3, true), 131_072, theta: 500_000, stretch: 32),
        ["mistral-7b"] = Of(new(32, 4096, 14336, 32, 8, 128, Llama12, false), 32_768, window: 4096),
        ["tinyllama-1.1b"] = Of(new(22, 2048, 5632, 32, 4, 64, Llama12, false), 2048),
        ["smollm-135m"] = Of(new(30, 576, 1536, 9, 3, 64, 49_152, true), 2048),
        ["qwen2.5-0.5b"] = Of(new(24, 896, 4864, 14, 2, 64, Qwen, true) { QkvBias = true }, 32_768, 1e-6f, 1_000_000),
        ["qwen2.5-7b"] = Of(new(28, 3584, 18944, 28, 4, 128, LargeQwen25, false) { QkvBias = true }, 131_072, 1e-6f, 1_000_000),
        ["qwen3-0.6b"] = Of(new(28, 1024, 3072, 16, 8, 128, Qwen, true) { HeadNorms = true }, 40_960, 1e-6f, 1_000_000),
        ["qwen3-8b"] = Of(new(36, 4096, 12288, 32, 8, 128, Qwen, false) { HeadNorms = true }, 40_960, 1e-6f, 1_000_000),
        ["tiny"] = Of(new(8, 128, 344, 16, 8, 8, 512, false), 2048),
    };

    private static LlamaConfig Of(ModelShape shape, int maxPositions, float epsilon = 1e-5f, float theta = 10_000, float? stretch = null,
        int window = 0) => new()
        {
            Shape = shape,
            NormEpsilon = epsilon,
            MaxPositions = maxPositions,
            Window = window,
            Rotary = RotaryEmbedding.Of(theta, shape.HeadDimension, stretch),
            DType = DType.BF16,
        };
}
