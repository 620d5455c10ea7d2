using TinyMoE.Attention;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Attention;

/// <summary>Attention with experts in its heads, the whole layer against <see cref="SwitchHeadReference"/>.</summary>
public sealed class SwitchHeadTests
{
    private static readonly Pass Training = new(Training: true, Seed: 3, Step: 2, Part: 1);

    private static readonly Dictionary<string, SwitchHeadSizes> Sizes = new()
    {
        ["one of each"] = new(B: 1, T: 1, H: 1, KvHeads: 1, D: 2, E: 1, K: 1),
        ["two heads"] = new(B: 2, T: 5, H: 2, KvHeads: 2, D: 6, E: 3, K: 2),
        ["shared values, window, biases"] = new(B: 2, T: 7, H: 3, KvHeads: 1, D: 4, E: 4, K: 1, Window: 3, Biases: true),
        ["all experts, odd heads"] = new(B: 1, T: 4, H: 4, KvHeads: 2, D: 3, E: 2, K: 2),
        ["expert dropout"] = new(B: 2, T: 5, H: 2, KvHeads: 1, D: 6, E: 3, K: 2, GateDropout: 0.5f),
    };

    public static TheoryData<string> Names => [.. Sizes.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Forward_AgreesWithDoubleReference(string name)
    {
        using Layer layer = new(Sizes[name]);
        AssertClose(layer.Reference(), layer.Forward(Training), 2e-5, "value");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_AgreesWithCentralDifferencesOfReference(string name)
    {
        using Layer layer = new(Sizes[name]);
        Philox random = new(new RandomKey(7, RandomPurpose.Other, Step: 100));
        float[] dy = [.. Enumerable.Range(0, layer.X.Length).Select(i => 2 * random.Uniform(i) - 1)];
        Dictionary<string, float[]> gradients = layer.Gradients(dy);
        SwitchHeadReference reference = layer.NewReference();
        Assert.Equal(reference.Values.Keys.Order(), gradients.Keys.Order());
        foreach ((string key, double[] values) in reference.Values)
        {
            double[] numeric = new double[values.Length];
            for (int i = 0; i < values.Length; i++)
            {
                const double Step = 1e-5;
                double at = values[i];
                values[i] = at + Step;
                double above = reference.Forward().Zip(dy, (y, d) => y * d).Sum();
                values[i] = at - Step;
                double below = reference.Forward().Zip(dy, (y, d) => y * d).Sum();
                values[i] = at;
                numeric[i] = (above - below) / (2 * Step);
            }

            AssertClose(numeric, gradients[key], 1e-4, key);
        }
    }

    [Fact]
    public void IdenticalExperts_HalfGates_EqualFullAttention()
    {
        // Scores of zero give gates of one half, and two of them make one.
        SwitchHeadSizes s = Sizes["two heads"] with { E = 4 };
        using Layer layer = new(s), full = new(s, AttentionKind.Full);
        int C = s.Width;
        foreach (string name in (string[])["q_proj.weight", "k_proj.weight"])
            layer[name] = full[name];
        (layer["v_gate.weight"], layer["o_gate.weight"]) = (new float[s.KvHeads * s.E * C], new float[s.H * s.E * C]);
        (float[] v, float[] o) = (full["v_proj.weight"], full["o_proj.weight"]);
        layer["v_experts.{expert}.weight"] = [.. Enumerable.Range(0, s.KvHeads * s.E).SelectMany(expert => v.AsSpan(expert / s.E * s.D * C, s.D * C).ToArray())];
        layer["o_experts.{expert}.weight"] = [.. Enumerable.Range(0, s.H * s.E * C * s.D).Select(i => o[i / s.D % C * C + i / (s.D * C * s.E) * s.D + i % s.D])];
        AssertClose([.. full.Forward(Pass.Inference).Select(y => (double)y)], layer.Forward(Pass.Inference), 1e-6, "value");
    }

    [Fact]
    public void GateDropout_ActsInTrainingOnly_AndLeavesGatesAlone()
    {
        using Layer layer = new(Sizes["expert dropout"]), without = new(Sizes["expert dropout"] with { GateDropout = 0 });
        Assert.Equal(without.Forward(Pass.Inference), layer.Forward(Pass.Inference));
        Assert.NotEqual(without.Forward(Training), layer.Forward(Training));
        Assert.NotEqual(layer.Forward(Training with { Step = 3 }), layer.Forward(Training));

        using Layer all = new(Sizes["expert dropout"] with { K = 3, GateDropout = 0.5f }), plain = new(Sizes["expert dropout"] with { K = 3, GateDropout = 0 });
        AssertClose([.. plain.Forward(Training).Select(y => (double)y)], all.Forward(Training), 1e-6, "value"); // every expert is taken: only the order changes
    }

    [Fact]
    public void ExpertThatNoTokenChose_HasZeroGradient()
    {
        SwitchHeadSizes s = new(B: 1, T: 1, H: 2, KvHeads: 1, D: 4, E: 5, K: 2);
        using Layer layer = new(s);
        Dictionary<string, float[]> gradients = layer.Gradients([.. Enumerable.Repeat(1f, s.Width)]);
        foreach ((string name, int heads) in (ReadOnlySpan<(string, int)>)[("v_experts.{expert}.weight", s.KvHeads), ("o_experts.{expert}.weight", s.H)])
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
        HeadExperts experts = HeadExperts.OfOutputs(store, "a", new ModelConfig { Width = C, Heads = H }, new AttentionConfig { Experts = E, Active = K }, layer: 0);
        store.Allocate(5);
        using Tape tape = backend.NewTape(recording: false);
        (Assignment byToken, Assignment byHead) = experts.Choose(tape.Normal((T, C), new RandomKey(1, RandomPurpose.Other, 0)), Pass.Inference);
        Assert.Equal((T, T * H, T * H * K, T * H * K), (byToken.TokenCount, byHead.TokenCount, byToken.Rows, byHead.Rows));
        Assert.Equal(backend.Read(byToken.Offsets), backend.Read(byHead.Offsets));
        Assert.Equal(byToken.Gates.ToArray(), byHead.Gates.ToArray());
        int[] tokens = backend.Read(byToken.Tokens), heads = backend.Read(byHead.Tokens), offsets = backend.Read(byToken.Offsets);
        Assert.Equal(tokens, heads.Select(head => head / H));
        for (int expert = 0; expert < H * E; expert++)
            Assert.All(heads[offsets[expert]..offsets[expert + 1]], head => Assert.Equal(expert / E, head % H));
    }

    [Fact]
    public void Parameters_AreOneTensorAnExpertInAFile()
    {
        using Layer layer = new(Sizes["shared values, window, biases"]);
        string[] names = [.. layer.Parameters.SelectMany(p => p.FileTensors()).Select(tensor => $"{tensor.Name} {tensor.Shape}")];
        Assert.Equal(
            [
                "a.q_proj.weight (12, 12)", "a.k_proj.weight (4, 12)",
                "a.v_gate.weight (4, 12)", .. Enumerable.Range(0, 4).Select(e => $"a.v_experts.{e}.weight (4, 12)"),
                "a.o_gate.weight (12, 12)", .. Enumerable.Range(0, 12).Select(e => $"a.o_experts.{e}.weight (12, 4)"),
                .. Enumerable.Range(0, 12).Select(e => $"a.o_experts.{e}.bias (12)"),
            ],
            names);
    }

    private static void AssertClose(double[] expected, float[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(expected[i] - actual[i]) / (1 + Math.Abs(expected[i]));
            Assert.True(error <= tolerance, $"{what} [{i}]: expected {expected[i]:G9}, got {actual[i]:G9} (error {error:E2}, allowed {tolerance:E2})");
        }
    }

    /// <summary>One attention layer with weights large enough to tell tokens apart, and its input.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly CpuBackend backend = new(2);
        private readonly ParameterStore store;
        private readonly CausalAttention attention;
        private readonly RotaryTable? rotary;
        private readonly SwitchHeadSizes sizes;

        public Layer(SwitchHeadSizes sizes, AttentionKind kind = AttentionKind.SwitchHead)
        {
            this.sizes = sizes;
            ModelConfig model = new() { Width = sizes.Width, Layers = 1, Heads = sizes.H, KvHeads = sizes.KvHeads, Context = sizes.T, Window = sizes.Window, Biases = sizes.Biases };
            AttentionConfig config = new() { Kind = kind, Experts = sizes.E, Active = sizes.K, GateDropout = sizes.GateDropout };
            rotary = sizes.Rotates ? new RotaryTable(sizes.T, sizes.D, model.RopeTheta) : null;
            rotary?.Allocate(backend);
            store = new ParameterStore(backend);
            attention = new CausalAttention(store, "a", model, config, layer: 0, rotary);
            store.Allocate(seed: 5);
            foreach (Parameter parameter in store.All)
                backend.FillNormal(new RandomKey(9, RandomPurpose.Other, parameter.Offset), parameter.Count, parameter.Data);
            backend.Affine(store.Weights, 0.5f, 0f, store.Weights.Length, store.Weights);
            Philox random = new(new RandomKey(2, RandomPurpose.Other, sizes.T));
            X = [.. Enumerable.Range(0, sizes.B * sizes.T * sizes.Width).Select(i => random.Normal(i))];
        }

        public float[] X { get; }

        public IReadOnlyList<Parameter> Parameters => store.All;

        public float[] this[string name]
        {
            get => backend.Read(Find(name).Data);
            set => backend.Write<float>(value, Find(name).Data);
        }

        public float[] Forward(Pass pass)
        {
            using Tape tape = backend.NewTape(recording: false);
            return attention.Forward(tape.Constant((sizes.B, sizes.T, sizes.Width), X), pass).ToArray();
        }

        /// <summary>Of the input "x" and of every parameter.</summary>
        public Dictionary<string, float[]> Gradients(float[] dy)
        {
            using Tape tape = backend.NewTape();
            Tensor x = tape.Variable((sizes.B, sizes.T, sizes.Width), X);
            tape.Backward(attention.Forward(x, Training), dy);
            store.RequireGradients();
            return store.All.Select(p => (Name: p.Name[2..], Gradient: backend.Read(p.Grad))).Append(("x", backend.Read(x.Grad))).ToDictionary();
        }

        public SwitchHeadReference NewReference() =>
            new(sizes, Training, store.All.Select(p => (Name: p.Name[2..], Values: backend.Read(p.Data))).Append(("x", X)).ToDictionary());

        public double[] Reference() => NewReference().Forward();

        public void Dispose()
        {
            store.Dispose();
            rotary?.Dispose();
            Assert.Equal(0, backend.Pool.LiveBuffers);
            backend.Dispose();
        }

        private Parameter Find(string name) => store.All.Single(p => p.Name == $"a.{name}");
    }
}
