using TinyMoE.Configuration;
using TinyMoE.Memory;

namespace TinyMoE.Tests;

/// <summary>The small mixture with the blocks of other families, at sizes that are multiples of nothing.</summary>
internal static class FamilyModels
{
    private static readonly RunConfig Tiny = TestModels.Tiny with
    {
        Moe = TestModels.Tiny.Moe with { Experts = 11, Active = 3, Hidden = 13 },
    };

    /// <summary>Clamped SwiGLU, a bias in the router, in the experts and in attention, none in the head.</summary>
    public static RunConfig GptOss { get; } = Tiny with
    {
        Model = Tiny.Model with { FeedForward = FeedForwardKind.ClampedSwiGlu, SwigluLimit = 0.7f },
        Attention = Tiny.Attention with { Biases = true, OutputBias = BiasChoice.True },
        Moe = Tiny.Moe with { RouterBias = true, ExpertBiases = BiasChoice.True },
    };

    /// <summary>Top-k within the best groups, gates undivided and scaled, shared experts, a dense layer.</summary>
    public static RunConfig DeepSeekV2 { get; } = Tiny with
    {
        Moe = Tiny.Moe with
        {
            Experts = 12,
            Groups = 4,
            ActiveGroups = 2,
            RoutedScaling = 2.5f,
            Renormalize = false,
            SharedExperts = 2,
            FirstDense = 1,
        },
    };

    /// <summary>Sigmoid scores that are not divided, in groups.</summary>
    public static RunConfig Undivided { get; } = Tiny with
    {
        Moe = Tiny.Moe with
        {
            Experts = 12,
            Router = RouterKind.DeepSeek,
            Groups = 3,
            ActiveGroups = 2,
            RoutedScaling = 1.5f,
            Renormalize = false,
            BalanceLoss = 0,
        },
    };

    /// <summary>A gated shared expert of a size of its own, dense layers by a list, biases in those.</summary>
    public static RunConfig Qwen2 { get; } = Tiny with
    {
        Model = Tiny.Model with { Layers = 3, Hidden = 29, FeedForwardBiases = BiasChoice.True },
        Attention = Tiny.Attention with { Biases = true },
        Moe = Tiny.Moe with { Renormalize = false, SharedExperts = 1, SharedHidden = 37, SharedGate = true, DenseLayers = new(1) },
    };

    /// <summary>Multipliers of embedding, sublayers and logits, a scale of scores, a bias of the head; tied.</summary>
    public static RunConfig Granite { get; } = Tiny with
    {
        Model = Tiny.Model with
        {
            EmbeddingMultiplier = 6,
            ResidualMultiplier = 0.3f,
            LogitsScaling = 0.5f,
            TieEmbeddings = true,
            HeadBias = BiasChoice.True,
        },
        Attention = Tiny.Attention with { Scale = 0.2f },
    };

    /// <summary>One expert per token whose gate is always 1.</summary>
    public static RunConfig OneExpert { get; } = Tiny with { Moe = Tiny.Moe with { Active = 1 } };

    /// <summary>GPT-OSS' experts and router in bfloat16, one dense layer of the same network.</summary>
    public static RunConfig GptOssBfloat16 { get; } = GptOss with
    {
        Model = GptOss.Model with { Hidden = 23, Biases = true, HeadBias = BiasChoice.False },
        Moe = GptOss.Moe with { ExpertPrecision = ElementType.Bfloat16, RouterPrecision = ElementType.Bfloat16, FirstDense = 1 },
    };

    /// <summary>All of them by name.</summary>
    public static IReadOnlyDictionary<string, RunConfig> All { get; } = new Dictionary<string, RunConfig>
    {
        ["gpt-oss"] = GptOss,
        ["gpt-oss-bfloat16"] = GptOssBfloat16,
        ["deepseek-v2"] = DeepSeekV2,
        ["undivided"] = Undivided,
        ["qwen2-moe"] = Qwen2,
        ["granite"] = Granite,
        ["one-expert"] = OneExpert,
    };

    /// <summary>Those that may begin with random weights.</summary>
    public static IEnumerable<string> Trainable => All.Keys.Where(name => !All[name].Moe.GatesAreConstant);
}
