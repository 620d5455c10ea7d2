using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Moe;
using TinyMoE.Nn;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Moe;

public sealed class MoeLayerTests
{
    private const int C = 32;

    [Fact]
    public void AllExperts_EqualsDenseSumOverExperts()
    {
        // With k = E the sparse path is a softmax-weighted sum over all experts: computed here expert by expert, each on every token.
        using Layer layer = new(TestModels.Tiny with { Moe = TestModels.Tiny.Moe with { Active = 4 } });
        float[] x = layer.Input(7);
        (float[] y, _) = layer.Forward(x);
        float[] expected = new float[y.Length];
        using Tape tape = layer.Backend.NewTape(recording: false);
        Tensor input = tape.Constant((7, C), x);
        Tensor gates = input.Linear(layer["gate.weight"]).Softmax();
        for (int e = 0; e < 4; e++)
        {
            Ints everyTokenToE = tape.Ints([.. Enumerable.Range(0, 5).Select(i => i > e ? 7 : 0)]);
            Tensor h = input.GroupedLinear(layer["experts.{expert}.w1.weight"], everyTokenToE).SwiGlu(input.GroupedLinear(layer["experts.{expert}.w3.weight"], everyTokenToE));
            float[] output = h.GroupedLinear(layer["experts.{expert}.w2.weight"], everyTokenToE).Multiply(gates.SliceColumns(e, 1)).ToArray();
            for (int i = 0; i < expected.Length; i++)
                expected[i] += output[i];
        }

        AssertClose(expected, y);
    }

    [Fact]
    public void IdenticalExperts_GatesSumToOne_EqualsOneDenseNetwork()
    {
        using Layer layer = new(TestModels.Tiny);
        foreach (string name in (string[])["w1", "w2", "w3"])
            layer.MakeExpertsEqual(layer[$"experts.{{expert}}.{name}.weight"]);
        float[] x = layer.Input(9);
        (float[] y, _) = layer.Forward(x);
        using Tape tape = layer.Backend.NewTape(recording: false);
        Tensor input = tape.Constant((9, C), x);
        Ints first = tape.Ints([0, 9, 9, 9, 9]);
        Tensor h = input.GroupedLinear(layer["experts.{expert}.w1.weight"], first).SwiGlu(input.GroupedLinear(layer["experts.{expert}.w3.weight"], first));
        AssertClose(h.GroupedLinear(layer["experts.{expert}.w2.weight"], first).ToArray(), y);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    public void PermutedTokens_PermuteTheOutput(string name)
    {
        using Layer layer = new(TestModels.Named(name));
        float[] x = layer.Input(11);
        int[] order = [3, 0, 10, 7, 1, 9, 2, 8, 6, 5, 4];
        float[] permuted = [.. order.SelectMany(t => x.AsSpan(t * C, C).ToArray())];
        (float[] y, _) = layer.Forward(x);
        (float[] yPermuted, _) = layer.Forward(permuted);
        AssertClose([.. order.SelectMany(t => y.AsSpan(t * C, C).ToArray())], yPermuted);
    }

    [Fact]
    public void ExpertWithoutTokens_ZeroGradient_NoNaN()
    {
        using Layer layer = new(TestModels.Tiny);
        float[] x = layer.Input(1);                              // one token, two of four experts
        (float[] y, int[] counts) = layer.ForwardBackward(x);
        Assert.All(y, v => Assert.True(float.IsFinite(v)));
        Assert.Equal(2, counts.Count(c => c == 0));
        foreach (string name in (string[])["w1", "w2", "w3"])
        {
            Parameter weight = layer[$"experts.{{expert}}.{name}.weight"];
            float[] gradient = layer.Backend.Read(weight.Grad);
            int size = gradient.Length / 4;
            for (int e = 0; e < 4; e++)
                Assert.Equal(counts[e] == 0, gradient.AsSpan(e * size, size).ToArray().All(g => g == 0f));
        }
    }

    [Fact]
    public void OneActiveExpert_RouterLearnsFromTheLossAlone()
    {
        using Layer layer = new(TestModels.Tiny with { Moe = TestModels.Tiny.Moe with { Active = 1, BalanceLoss = 0, ZLoss = 0 } });
        layer.ForwardBackward(layer.Input(6));
        Assert.Contains(layer.Backend.Read(layer["gate.weight"].Grad), g => g != 0f);
    }

    [Fact]
    public void OutsideTraining_NoNoise_NoLosses()
    {
        using Layer layer = new(TestModels.TinyNoisy);
        float[] x = layer.Input(8);
        Assert.Equal(layer.Forward(x).Y, layer.Forward(x).Y);
        using Tape tape = layer.Backend.NewTape();
        Tensor input = tape.Constant((8, C), x);
        Assert.Empty(layer.Moe.Forward(input, Pass.Inference).Routing.Losses);
        Routing training = layer.Moe.Forward(input, new Pass(Training: true, Seed: 1, Step: 1)).Routing;
        Assert.Equal(["importance", "load"], training.Losses.Select(l => l.Name));
        Routing otherStep = layer.Moe.Forward(input, new Pass(Training: true, Seed: 1, Step: 2)).Routing;
        Assert.NotEqual(training.Assignment.Weights.ToArray(), otherStep.Assignment.Weights.ToArray());
    }

    [Fact]
    public void Statistics_CountEveryChoice()
    {
        using Layer layer = new(TestModels.Tiny);
        RoutingStatistics statistics = new(4);
        using Tape tape = layer.Backend.NewTape(recording: false);
        Routing routing = layer.Moe.Forward(tape.Constant((50, C), layer.Input(50)), Pass.Inference).Routing;
        statistics.Add(routing);
        int[] counts = routing.Assignment.ReadCounts();
        Assert.Equal(100, counts.Sum());
        Assert.Equal(counts.Select(c => c / 100f), statistics.Load);
        Assert.Equal(1f, statistics.Importance.Sum(), 1e-5f);
        Assert.InRange(statistics.Entropy, 0f, MathF.Log(4) + 1e-5f);
        Assert.Equal(counts.Max() / 25f - 1, statistics.MaxViolation, 1e-5f);
        Assert.Equal(counts.Count(c => c == 0), statistics.Dead);
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-6f);
    }

    /// <summary>One MoE layer with weights large enough to tell tokens apart.</summary>
    private sealed class Layer : IDisposable
    {
        private readonly ParameterStore store;

        public Layer(RunConfig config)
        {
            store = new ParameterStore(Backend);
            Moe = new MoeLayer(store, "moe", config.Model, config.Moe, layer: 0);
            store.Allocate(seed: 5);
            foreach (Parameter parameter in store.All)
                Backend.FillNormal(new RandomKey(9, RandomPurpose.Other, parameter.Offset), parameter.Count, parameter.Data);
            Backend.Affine(store.Weights, 0.1f, 0f, store.Weights.Length, store.Weights);
        }

        public CpuBackend Backend { get; } = new(2);

        public MoeLayer Moe { get; }

        public Parameter this[string name] => store.All.Single(p => p.Name == $"moe.{name}");

        public float[] Input(int tokens)
        {
            Philox random = new(new RandomKey(2, RandomPurpose.Other, tokens));
            return [.. Enumerable.Range(0, tokens * C).Select(i => random.Normal(i))];
        }

        public (float[] Y, int[] Counts) Forward(float[] x)
        {
            using Tape tape = Backend.NewTape(recording: false);
            (Tensor y, Routing routing) = Moe.Forward(tape.Constant((x.Length / C, C), x), Pass.Inference);
            return (y.ToArray(), routing.Assignment.ReadCounts());
        }

        public (float[] Y, int[] Counts) ForwardBackward(float[] x)
        {
            using Tape tape = Backend.NewTape();
            (Tensor y, Routing routing) = Moe.Forward(tape.Variable((x.Length / C, C), x), Pass.Inference);
            (float[] output, int[] counts) = (y.ToArray(), routing.Assignment.ReadCounts());
            tape.Backward(y.Square().Sum());
            store.RequireGradients();
            return (output, counts);
        }

        public void MakeExpertsEqual(Parameter weight)
        {
            int size = weight.Count / weight.Shape[0];
            float[] first = Backend.Read(weight.Data.Slice(0, size));
            for (int e = 1; e < weight.Shape[0]; e++)
                Backend.Write<float>(first, weight.Data.Slice(e * size, size));
        }

        public void Dispose()
        {
            store.Dispose();
            Assert.Equal(0, Backend.Pool.LiveBuffers);
            Backend.Dispose();
        }
    }
}
