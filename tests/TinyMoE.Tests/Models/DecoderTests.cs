using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Models;

public sealed class DecoderTests
{
    private const int T = 16;

    public static TheoryData<string> Variants =>
        [
            "plain", "noisy", "window", "dense", "tied", "mixed", "bfloat16", "switch-head", "switch-head-window", "heads",
            "switch-head-heads", "latent", "sinks", "linear", "dynamic", "llama3", "yarn", "switch-head-sinks",
            .. FamilyModels.Trainable,
        ];

    [Theory]
    [MemberData(nameof(Variants))]
    public void ChangedToken_LeavesEarlierLogitsUnchangedToTheBit(string variant)
    {
        RunConfig config = Variant(variant);
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, config);
        int V = config.Model.Vocabulary;
        int[] ids = TestModels.Ids(T, V);
        float[] before = TestModels.Logits(backend, model, ids, B: 1);
        for (int changed = 1; changed < T; changed += 5)
        {
            int[] other = [.. ids];
            other[changed] = (other[changed] + 1) % V;
            float[] after = TestModels.Logits(backend, model, other, B: 1);
            Assert.Equal(before.AsSpan(0, changed * V).ToArray(), after.AsSpan(0, changed * V).ToArray());
            Assert.NotEqual(before.AsSpan(changed * V, V).ToArray(), after.AsSpan(changed * V, V).ToArray());
        }
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Sequences_DoNotSeeEachOther(string variant)
    {
        RunConfig config = Variant(variant);
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, config);
        int[] a = TestModels.Ids(T, config.Model.Vocabulary, seed: 1), b = TestModels.Ids(T, config.Model.Vocabulary, seed: 2);
        float[] together = TestModels.Logits(backend, model, [.. a, .. b], B: 2);
        float[] alone = TestModels.Logits(backend, model, b, B: 1);
        for (int i = 0; i < alone.Length; i++)
            Assert.Equal(alone[i], together[alone.Length + i], 1e-5f);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Cache_GivesTheLogitsOfTheWholeSequence(string variant)
    {
        RunConfig config = Variant(variant);
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, config);
        int V = config.Model.Vocabulary;
        int[] ids = TestModels.Ids(T, V);
        float[] whole = TestModels.Logits(backend, model, ids, B: 1);
        using DecoderCache cache = model.NewCache();
        for (int start = 0, length = 5; start < T; start += length, length = 1)
        {
            using Tape tape = backend.NewTape(recording: false);
            TokenBatch tokens = new(tape.Ints(ids.AsSpan(start, length)), 1, length);
            float[] last = model.Forward(tape, tokens, Pass.Inference, cache, lastOnly: true).Logits.ToArray();
            for (int v = 0; v < V; v++)
                Assert.Equal(whole[(start + length - 1) * V + v], last[v], 1e-5f);
        }
    }

    [Fact]
    public void PositionsMatter_SameTokensInAnotherOrder_OtherLogits()
    {
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, TestModels.Tiny);
        int V = TestModels.Tiny.Model.Vocabulary;
        float[] a = TestModels.Logits(backend, model, [1, 2, 3, 4], B: 1), b = TestModels.Logits(backend, model, [3, 1, 2, 4], B: 1);
        Assert.NotEqual(a.AsSpan(3 * V).ToArray(), b.AsSpan(3 * V).ToArray());
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Backward_ReachesEveryParameter(string variant)
    {
        RunConfig config = Variant(variant);
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, config);
        using Tape tape = backend.NewTape();
        int[] ids = TestModels.Ids(2 * T, config.Model.Vocabulary);
        DecoderOutput output = model.Forward(tape, tape.Ints(ids), 2, T, new Pass(Training: true, Seed: 1, Step: 1));
        tape.Backward(Objective.Of(output, tape.Ints(ids)).Total);
        model.Parameters.RequireGradients();
        Assert.Null(model.Parameters.FindNonFiniteGradient());
    }

    [Fact]
    public void RequireGradients_NamesTheParameterThatNothingReached()
    {
        using CpuBackend backend = new(1);
        using ParameterStore store = new(backend);
        store.Add("lonely.weight", (3, 4), Initializer.Ones);
        store.Allocate(1);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(store.RequireGradients);
        Assert.Contains("lonely.weight", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Variants))]
    public void Plan_EqualsTheModelThatIsBuilt(string variant)
    {
        RunConfig config = Variant(variant);
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, config);
        Assert.Equal(model.Parameters.All.Select(p => (p.Name, p.Shape)), Decoder.Plan(config).Select(p => (p.Name, p.Shape)));
        Assert.Equal(model.Parameters.Count, ModelSize.Of(config).TotalParameters);
    }

    [Fact]
    public void Initialisation_FollowsTheConfiguration()
    {
        Assert.Equal(0.02, Deviation(InitKind.Normal, "query"), 0.002);
        Assert.Equal(0.02 / Math.Sqrt(2 * TestModels.Tiny.Model.Layers), Deviation(InitKind.Normal, "output"), 0.001);
        Assert.Equal(Math.Sqrt(2.0 / 32), Deviation(InitKind.Kaiming, "query"), 0.02);
        // A normal cut at 2σ has 0.88 of its deviation.
        Assert.Equal(0.88 * Math.Sqrt(0.1 / 32), Deviation(InitKind.Switch, "query"), 0.006);

        static double Deviation(InitKind init, string name)
        {
            using CpuBackend backend = new(1);
            using Decoder model = new(backend, TestModels.Tiny with { Model = TestModels.Tiny.Model with { Init = init } });
            float[] weights = backend.Read(model.Parameters.All.First(p => p.Name.Contains(name, StringComparison.Ordinal)).Data);
            return Math.Sqrt(weights.Average(w => (double)w * w));
        }
    }

    [Fact]
    public void WeightDecay_ActsOnMatricesOnly()
    {
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, TestModels.TinyNoisy);
        Assert.All(
            model.Parameters.All,
            p => Assert.Equal(p.Part != ModelPart.Norms && !p.Name.EndsWith(".bias", StringComparison.Ordinal), p.Decays));
        Assert.All(model.Parameters.All, p => Assert.Equal(p.Decays, p.Offset < model.Parameters.DecayingLength));
    }

    private static RunConfig Variant(string name)
    {
        RunConfig tiny = TestModels.Tiny;
        return name switch
        {
            "noisy" => TestModels.TinyNoisy,
            "bfloat16" => TestModels.TinyBfloat16,
            "window" => tiny with { Attention = tiny.Attention with { Window = 4, KvHeads = 1 } },
            "dense" => tiny with { Moe = tiny.Moe with { Experts = 0 }, Model = tiny.Model with { FeedForward = FeedForwardKind.Gelu } },
            "tied" => tiny with { Model = tiny.Model with { TieEmbeddings = true, Positions = PositionKind.Learned } },
            "switch-head" => TestModels.TinySwitchHead,
            "latent" => TestModels.TinyLatent,
            "switch-head-window" => tiny with { Attention = TestModels.TinySwitchHead.Attention with { Window = 4, Active = 1 } },
            "heads" or "sinks" or "linear" or "dynamic" or "llama3" or "yarn" => TestModels.Named(name),
            "switch-head-sinks" => TestModels.TinySinks(RopeScaling.Yarn) with
            {
                Attention = TestModels.TinySinks(RopeScaling.Yarn).Attention with { Kind = AttentionKind.SwitchHead },
            },
            "switch-head-heads" => TestModels.TinyHeads with
            {
                Attention = TestModels.TinyHeads.Attention with { Kind = AttentionKind.SwitchHead, QueryKeyNorm = QueryKeyNorm.PerHead },
            },
            "mixed" => tiny with
            {
                Model = tiny.Model with { Layers = 4 },
                Moe = tiny.Moe with { FirstDense = 1, Every = 2, Renormalize = false },
            },
            _ => FamilyModels.All.GetValueOrDefault(name) ?? tiny,
        };
    }
}
