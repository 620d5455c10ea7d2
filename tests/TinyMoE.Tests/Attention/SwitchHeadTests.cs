using TinyMoE.Attention;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Attention;

/// <summary>Attention with experts in its heads, the whole layer against <see cref="SwitchHeadReference"/>.</summary>
public sealed class SwitchHeadTests
{
    private static readonly Pass Training = AttentionLayer.Training;

    private static readonly Dictionary<string, SwitchHeadSizes> Sizes = new()
    {
        ["one of each"] = new(B: 1, T: 1, H: 1, KvHeads: 1, D: 2, E: 1, K: 1),
        ["two heads"] = new(B: 2, T: 5, H: 2, KvHeads: 2, D: 6, E: 3, K: 2),
        ["shared values, window, biases"] = new(B: 2, T: 7, H: 3, KvHeads: 1, D: 4, E: 4, K: 1, Window: 3, Biases: true),
        ["all experts, odd heads"] = new(B: 1, T: 4, H: 4, KvHeads: 2, D: 3, E: 2, K: 2),
        ["all biases, learned positions"] = new(B: 2, T: 4, H: 2, KvHeads: 1, D: 5, E: 3, K: 2, Biases: true, QueryKeyValueBiases: true),
        ["expert dropout"] = new(B: 2, T: 5, H: 2, KvHeads: 1, D: 6, E: 3, K: 2, GateDropout: 0.5f),
    };

    public static TheoryData<string> Names => [.. Sizes.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Forward_AgreesWithDoubleReference(string name)
    {
        using AttentionLayer layer = NewLayer(Sizes[name]);
        AttentionLayer.AssertClose(NewReference(Sizes[name], layer).Forward(), layer.Forward(Training), 2e-5, "value");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_AgreesWithCentralDifferencesOfReference(string name)
    {
        using AttentionLayer layer = NewLayer(Sizes[name]);
        SwitchHeadReference reference = NewReference(Sizes[name], layer);
        layer.AssertGradients(reference.Values, reference.Forward);
    }

    [Fact]
    public void IdenticalExperts_HalfGates_EqualFullAttention()
    {
        // Scores of zero give gates of one half, and two of them make one.
        SwitchHeadSizes s = Sizes["two heads"] with { E = 4 };
        using AttentionLayer layer = NewLayer(s), full = NewLayer(s, AttentionKind.Full);
        int C = s.Width;
        foreach (string name in (string[])["query.weight", "key.weight"])
            layer[name] = full[name];
        (layer["value_router.weight"], layer["output_router.weight"]) = (new float[s.KvHeads * s.E * C], new float[s.H * s.E * C]);
        (float[] v, float[] o) = (full["value.weight"], full["output.weight"]);
        int headSize = s.D * C;
        layer["value_experts.weight"] =
            [.. Enumerable.Range(0, s.KvHeads * s.E).SelectMany(expert => v.AsSpan(expert / s.E * headSize, headSize).ToArray())];
        layer["output_experts.weight"] =
            [.. Enumerable.Range(0, s.H * s.E * headSize).Select(i => o[i / s.D % C * C + i / (headSize * s.E) * s.D + i % s.D])];
        AttentionLayer.AssertClose([.. full.Forward(Pass.Inference).Select(y => (double)y)], layer.Forward(Pass.Inference), 1e-6, "value");
    }

    [Fact]
    public void GateDropout_ActsInTrainingOnly_AndLeavesGatesAlone()
    {
        SwitchHeadSizes sizes = Sizes["expert dropout"];
        using AttentionLayer layer = NewLayer(sizes), without = NewLayer(sizes with { GateDropout = 0 });
        Assert.Equal(without.Forward(Pass.Inference), layer.Forward(Pass.Inference));
        Assert.NotEqual(without.Forward(Training), layer.Forward(Training));
        Assert.NotEqual(layer.Forward(Training with { Step = 3 }), layer.Forward(Training));

        using AttentionLayer all = NewLayer(sizes with { K = 3 }), plain = NewLayer(sizes with { K = 3, GateDropout = 0 });
        // every expert is taken: only the order changes
        AttentionLayer.AssertClose([.. plain.Forward(Training).Select(y => (double)y)], all.Forward(Training), 1e-6, "value");
    }

    [Fact]
    public void ExpertThatNoTokenChose_HasZeroGradient()
    {
        SwitchHeadSizes s = new(B: 1, T: 1, H: 2, KvHeads: 1, D: 4, E: 5, K: 2);
        using AttentionLayer layer = NewLayer(s);
        Dictionary<string, float[]> gradients = layer.Gradients([.. Enumerable.Repeat(1f, s.Width)]);
        (string Name, int Heads)[] stacks = [("value_experts.weight", s.KvHeads), ("output_experts.weight", s.H)];
        foreach ((string name, int heads) in stacks)
        {
            float[][] experts = [.. gradients[name].Chunk(s.Width * s.D)];
            Assert.All(gradients[name], g => Assert.True(float.IsFinite(g)));
            for (int head = 0; head < heads; head++)
                Assert.Equal(s.K, experts.Skip(head * s.E).Take(s.E).Count(gradient => gradient.Any(g => g != 0f)));
        }
    }

    [Fact]
    public void Choose_RowsByTokenAndByHead_AreTheSameRows()
    {
        const int T = 9, H = 3, E = 4, K = 2, C = 12;
        using CpuBackend backend = new(2);
        using ParameterStore store = new(backend);
        ModelConfig model = new() { Width = C };
        AttentionConfig attention = new() { Heads = H, Experts = E, Active = K };
        HeadExperts experts = HeadExperts.OfOutputs(store, "a", model, attention, layer: 0);
        store.Allocate(5);
        using Tape tape = backend.NewTape(recording: false);
        Tensor x = tape.Normal((T, C), new RandomKey(1, RandomPurpose.Other, 0));
        (Assignment byToken, Assignment byHead) = experts.Choose(x, Pass.Inference);
        Assert.Equal((T, T * H, T * H * K, T * H * K), (byToken.TokenCount, byHead.TokenCount, byToken.Rows, byHead.Rows));
        Assert.Equal(backend.Read(byToken.Offsets), backend.Read(byHead.Offsets));
        Assert.Equal(byToken.Gates.ToArray(), byHead.Gates.ToArray());
        int[] tokens = backend.Read(byToken.Tokens), heads = backend.Read(byHead.Tokens), offsets = backend.Read(byToken.Offsets);
        Assert.Equal(tokens, heads.Select(head => head / H));
        for (int expert = 0; expert < H * E; expert++)
            Assert.All(heads[offsets[expert]..offsets[expert + 1]], head => Assert.Equal(expert / E, head % H));
    }

    [Fact]
    public void Parameters_AreOneTensorPerExpertInAFile()
    {
        using AttentionLayer layer = NewLayer(Sizes["shared values, window, biases"]);
        TensorNames names = TensorNames.Of(new ModelConfig());
        int prefix = "model.layers.0.self_attn.".Length;
        string[] tensors = [.. layer.Parameters.SelectMany(names.Of).Select(tensor => $"{tensor.Name[prefix..]} {tensor.Shape}")];
        Assert.Equal(
            [
                "q_proj.weight (12, 12)", "k_proj.weight (4, 12)",
                "v_gate.weight (4, 12)", .. Enumerable.Range(0, 4).Select(e => $"v_experts.{e}.weight (4, 12)"),
                "o_gate.weight (12, 12)", .. Enumerable.Range(0, 12).Select(e => $"o_experts.{e}.weight (12, 4)"),
                .. Enumerable.Range(0, 12).Select(e => $"o_experts.{e}.bias (12)"),
            ],
            tensors);
    }

    private static AttentionLayer NewLayer(SwitchHeadSizes sizes, AttentionKind kind = AttentionKind.SwitchHead) => new(
        new ModelConfig
        {
            Width = sizes.Width,
            Layers = 1,
            Context = sizes.T,
            Positions = sizes.Rotates ? PositionKind.Rope : PositionKind.Learned,
            Biases = sizes.Biases,
        },
        new AttentionConfig
        {
            Kind = kind,
            Heads = sizes.H,
            KvHeads = sizes.KvHeads,
            Window = sizes.Window,
            Biases = sizes.QueryKeyValueBiases,
            Experts = sizes.E,
            Active = sizes.K,
            GateDropout = sizes.GateDropout,
        },
        sizes.B);

    private static SwitchHeadReference NewReference(SwitchHeadSizes sizes, AttentionLayer layer) => new(sizes, Training, layer.Values);
}
