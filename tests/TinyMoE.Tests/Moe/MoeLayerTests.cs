using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Moe;

public sealed class MoeLayerTests
{
    private const int C = TestLayer.C;

    [Fact]
    public void AllExperts_EqualsDenseSumOverExperts()
    {
        // With k = E the sparse path is a softmax-weighted sum over all experts: computed here expert by expert, each on every token.
        using TestLayer layer = new(TestModels.Tiny with { Moe = TestModels.Tiny.Moe with { Active = 4 } });
        float[] x = layer.Input(7);
        (float[] y, _) = layer.Forward(x);
        float[] expected = new float[y.Length];
        using Tape tape = layer.Backend.NewTape(recording: false);
        Tensor input = tape.Constant((7, C), x);
        Tensor gates = input.Linear(layer["router.weight"]).Softmax();
        for (int e = 0; e < 4; e++)
        {
            Ints everyTokenToE = tape.Ints([.. Enumerable.Range(0, 5).Select(i => i > e ? 7 : 0)]);
            Tensor h = input.GroupedLinear(layer["experts.gate.weight"], everyTokenToE)
                .SwiGlu(input.GroupedLinear(layer["experts.up.weight"], everyTokenToE));
            float[] output = h.GroupedLinear(layer["experts.down.weight"], everyTokenToE).Multiply(gates.SliceColumns(e, 1)).ToArray();
            for (int i = 0; i < expected.Length; i++)
                expected[i] += output[i];
        }

        AssertClose(expected, y);
    }

    [Fact]
    public void IdenticalExperts_GatesSumToOne_EqualsOneDenseNetwork()
    {
        using TestLayer layer = new(TestModels.Tiny);
        foreach (string name in (string[])["gate", "down", "up"])
            layer.MakeExpertsEqual(layer[$"experts.{name}.weight"]);
        float[] x = layer.Input(9);
        (float[] y, _) = layer.Forward(x);
        using Tape tape = layer.Backend.NewTape(recording: false);
        Tensor input = tape.Constant((9, C), x);
        Ints first = tape.Ints([0, 9, 9, 9, 9]);
        Tensor h = input.GroupedLinear(layer["experts.gate.weight"], first).SwiGlu(input.GroupedLinear(layer["experts.up.weight"], first));
        AssertClose(h.GroupedLinear(layer["experts.down.weight"], first).ToArray(), y);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    public void PermutedTokens_PermuteTheOutput(string name)
    {
        using TestLayer layer = new(TestModels.Named(name));
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
        using TestLayer layer = new(TestModels.Tiny);
        float[] x = layer.Input(1);                              // one token, two of four experts
        (float[] y, int[] counts) = layer.ForwardBackward(x);
        Assert.All(y, v => Assert.True(float.IsFinite(v)));
        Assert.Equal(2, counts.Count(c => c == 0));
        foreach (string name in (string[])["gate", "down", "up"])
        {
            Parameter weight = layer[$"experts.{name}.weight"];
            float[] gradient = layer.Backend.Read(weight.Grad);
            int size = gradient.Length / 4;
            for (int e = 0; e < 4; e++)
                Assert.Equal(counts[e] == 0, gradient.AsSpan(e * size, size).ToArray().All(g => g == 0f));
        }
    }

    [Fact]
    public void OneActiveExpert_RouterLearnsFromTheLossAlone()
    {
        using TestLayer layer = new(TestModels.Tiny with
        {
            Moe = TestModels.Tiny.Moe with { Active = 1, Renormalize = false, BalanceLoss = 0, ZLoss = 0 },
        });
        layer.ForwardBackward(layer.Input(6));
        Assert.Contains(layer.Backend.Read(layer["router.weight"].Grad), g => g != 0f);
    }

    [Fact]
    public void OutsideTraining_NoNoise_NoLosses()
    {
        using TestLayer layer = new(TestModels.TinyNoisy);
        float[] x = layer.Input(8);
        Assert.Equal(layer.Forward(x).Y, layer.Forward(x).Y);
        using Tape tape = layer.Backend.NewTape();
        Tensor input = tape.Constant((8, C), x);
        Assert.Empty(layer.Moe.Forward(input, RoutingContext.For(input, Pass.Inference)).Routing.Losses);
        Routing training = layer.Moe.Forward(input, RoutingContext.For(input, new Pass(Training: true, Seed: 1, Step: 1))).Routing;
        Assert.Equal(["importance", "load"], training.Losses.Select(l => l.Name));
        Routing otherStep = layer.Moe.Forward(input, RoutingContext.For(input, new Pass(Training: true, Seed: 1, Step: 2))).Routing;
        Assert.NotEqual(training.Assignment.Gates.ToArray(), otherStep.Assignment.Gates.ToArray());
    }

    [Fact]
    public void Statistics_CountEveryChoice()
    {
        using TestLayer layer = new(TestModels.Tiny);
        RoutingStatistics statistics = new(4);
        using Tape tape = layer.Backend.NewTape(recording: false);
        Tensor input = tape.Constant((50, C), layer.Input(50));
        Routing routing = layer.Moe.Forward(input, RoutingContext.For(input, Pass.Inference)).Routing;
        statistics.Add(routing);
        int[] counts = routing.Assignment.ReadCounts();
        Assert.Equal(100, counts.Sum());
        Assert.Equal(counts.Select(c => c / 100f), statistics.Load);
        Assert.Equal(1f, statistics.Importance.Sum(), 1e-5f);
        Assert.InRange(statistics.Entropy!.Value, 0f, MathF.Log(4) + 1e-5f);
        Assert.Equal(counts.Max() / 25f - 1, statistics.MaxViolation, 1e-5f);
        Assert.Equal(counts.Count(c => c == 0), statistics.Dead);
    }

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-6f);
    }
}
