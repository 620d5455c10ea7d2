using TinyMoE.Files;

namespace TinyMoE.Configuration;

/// <summary>A named configuration and what it is, in one line.</summary>
public sealed record Preset(string Name, string Summary, RunConfig Config);

/// <summary>Configurations to begin with.</summary>
public static class Presets
{
    /// <summary>The name of the preset that is taken where none is named.</summary>
    public const string Default = "mixtral-tiny";

    /// <summary>All presets, the default first.</summary>
    public static IReadOnlyList<Preset> All { get; } =
    [
        new(Default, "a small Mixtral, 4 layers of 8 SwiGLU experts, 2 per token; RoPE, RMSNorm, grouped queries", MixtralTiny()),
        new("makemoe", "makeMoE's model, 8 layers of 8 ReLU experts, noisy top-2, no balance loss", MakeMoe()),
        new("nano", "nanoGPT's small character model, dense; the one to compare a mixture with", Nano()),
        new("shazeer-tiny", "noisy top-2 with importance and load losses (Shazeer et al. 2017), ReLU experts, LayerNorm", ShazeerTiny()),
        new("switch-tiny", "Switch: one expert per token, jitter, capacity factor 1.25, balance loss (Fedus et al. 2021)", SwitchTiny()),
        new("deepseek-tiny", "DeepSeek-V3: sigmoid scores, a bias that balances, 16 fine experts and one that is shared", DeepSeekTiny()),
        new("switch-head-tiny",
            "the default with experts in attention too: 4 of values and 4 of outputs in every head, 2 per token (SwitchHead)",
            SwitchHeadTiny()),
        new("bench", "for measuring: 256 wide, 4 layers of 8 SwiGLU experts of 512, 2 per token, context 256", Bench()),
        new("bench-64-experts", "for measuring: the same width and layers with 64 fine experts of 64, 8 per token", Bench64Experts()),
        new("bench-narrow", "for measuring: 128 wide, 8 layers of 8 SwiGLU experts of 344, context 32", BenchNarrow()),
    ];

    /// <summary>The configuration of that name; an unknown one is an error that lists the known.</summary>
    public static RunConfig Get(string name)
    {
        IEnumerable<string> names = All.Select(preset => preset.Name);
        return All.FirstOrDefault(preset => preset.Name == name)?.Config
            ?? throw new TinyMoEException(
                $"unknown preset '{Excerpt.Of(name)}'{Nearest.Hint(name, names)} (known: {string.Join(", ", names)})");
    }

    private static RunConfig MixtralTiny() => new()
    {
        Model = new ModelConfig
        {
            Width = 128,
            Layers = 4,
            Context = 128,
            Norm = NormKind.Rms,
            Positions = PositionKind.Rope,
            FeedForward = FeedForwardKind.SwiGlu,
            TieEmbeddings = true,
        },
        Attention = new AttentionConfig { Heads = 4, KvHeads = 2 },
        Moe = new MoeConfig
        {
            Experts = 8,
            Active = 2,
            Hidden = 256,
            Router = RouterKind.TopK,
            Renormalize = true,
            BalanceLoss = 0.01f,
            ZLoss = 0.001f,
        },
        Train = new TrainConfig
        {
            Batch = 8,
            Steps = 1200,
            LearningRate = 2e-3f,
            MinLearningRate = 2e-4f,
            Schedule = ScheduleKind.Cosine,
            Warmup = 100,
            WeightDecay = 0.1f,
            Beta1 = 0.9f,
            Beta2 = 0.99f,
            Clip = 1f,
            EvalEvery = 200,
        },
    };

    private static RunConfig ShazeerTiny()
    {
        RunConfig tiny = MixtralTiny();
        return tiny with
        {
            Model = tiny.Model with { Norm = NormKind.Layer, FeedForward = FeedForwardKind.Relu },
            Moe = tiny.Moe with { Router = RouterKind.NoisyTopK, BalanceLoss = 0, ZLoss = 0, ImportanceLoss = 0.01f, LoadLoss = 0.01f },
        };
    }

    /// <summary>Nothing but attention differs from the default.</summary>
    private static RunConfig SwitchHeadTiny()
    {
        RunConfig tiny = MixtralTiny();
        return tiny with { Attention = tiny.Attention with { Kind = AttentionKind.SwitchHead, Experts = 4, Active = 2 } };
    }

    private static RunConfig SwitchTiny()
    {
        RunConfig tiny = MixtralTiny();
        return tiny with
        {
            Model = tiny.Model with { Init = InitKind.Switch },
            Moe = tiny.Moe with { Router = RouterKind.Switch, Active = 1, Hidden = 512, Jitter = 0.01f, CapacityFactor = 1.25f, ZLoss = 0 },
        };
    }

    private static RunConfig DeepSeekTiny()
    {
        RunConfig tiny = MixtralTiny();
        return tiny with
        {
            Moe = tiny.Moe with
            {
                Router = RouterKind.DeepSeek,
                Experts = 16,
                Active = 3,
                Hidden = 128,
                SharedExperts = 1,
                BalanceLoss = 0,
                SequenceLoss = 1e-4f,
                ZLoss = 0,
            },
        };
    }

    /// <summary>The model of the benchmark's PyTorch rival, trained as it trains.</summary>
    private static RunConfig Bench()
    {
        RunConfig tiny = MixtralTiny();
        return tiny with
        {
            Model = tiny.Model with { Width = 256, Context = 256 },
            Attention = tiny.Attention with { Heads = 8, KvHeads = 4 },
            Moe = tiny.Moe with { Hidden = 512, ZLoss = 0 },
            Train = new TrainConfig
            {
                Batch = 8,
                Steps = 100,
                LearningRate = 1e-3f,
                Schedule = ScheduleKind.Constant,
                Warmup = 0,
                WeightDecay = 0.01f,
                Beta1 = 0.9f,
                Beta2 = 0.999f,
                Clip = 1f,
                EvalEvery = 100,
            },
            Data = new DataConfig { Tokenizer = TokenizerKind.Byte },
        };
    }

    private static RunConfig Bench64Experts()
    {
        RunConfig bench = Bench();
        return bench with { Moe = bench.Moe with { Experts = 64, Active = 8, Hidden = 64 } };
    }

    private static RunConfig BenchNarrow()
    {
        RunConfig bench = Bench();
        return bench with
        {
            Model = bench.Model with { Width = 128, Layers = 8, Context = 32 },
            Attention = bench.Attention with { KvHeads = 8 },
            Moe = bench.Moe with { Hidden = 344 },
            Train = bench.Train with { Batch = 16 },
        };
    }

    private static RunConfig MakeMoe() => new()
    {
        Model = new ModelConfig
        {
            Width = 128,
            Layers = 8,
            Context = 32,
            Norm = NormKind.Layer,
            Positions = PositionKind.Learned,
            FeedForward = FeedForwardKind.Relu,
            Biases = true,
            Dropout = 0.1f,
            Init = InitKind.Kaiming,
        },
        Attention = new AttentionConfig { Heads = 8 },
        Moe = new MoeConfig { Experts = 8, Active = 2, Hidden = 512, Router = RouterKind.NoisyTopK, NoiseEpsilon = 0 },
        Train = new TrainConfig
        {
            Batch = 16,
            Steps = 5000,
            LearningRate = 1e-3f,
            Schedule = ScheduleKind.Constant,
            Warmup = 0,
            WeightDecay = 0.01f,
            Beta1 = 0.9f,
            Beta2 = 0.999f,
            Clip = 0,
            EvalEvery = 250,
            EvalWindows = 1024,
        },
    };

    private static RunConfig Nano() => new()
    {
        Model = new ModelConfig
        {
            Width = 128,
            Layers = 4,
            Context = 64,
            Norm = NormKind.Layer,
            Positions = PositionKind.Learned,
            FeedForward = FeedForwardKind.Gelu,
            TieEmbeddings = true,
        },
        Attention = new AttentionConfig { Heads = 4 },
        Moe = new MoeConfig { Experts = 0 },
        Train = new TrainConfig
        {
            Batch = 12,
            Steps = 2000,
            LearningRate = 1e-3f,
            MinLearningRate = 1e-4f,
            Schedule = ScheduleKind.Cosine,
            Warmup = 100,
            WeightDecay = 0.1f,
            Beta1 = 0.9f,
            Beta2 = 0.99f,
            Clip = 1f,
            Seed = 1337, // nanoGPT's
            EvalEvery = 250,
            EvalWindows = 240,
        },
    };
}
