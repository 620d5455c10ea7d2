using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Moe;

/// <summary>
/// A layer as GPT-OSS has it, with sizes that are multiples of nothing, against the same in double precision, token by token: values, and
/// the gradient by every parameter against central differences.
/// </summary>
public sealed class ClampedLayerTests
{
    private const int E = 11, K = 3, C = 6, F = 5, N = 7;
    private const float Limit = 0.8f, Alpha = 1.702f;

    private static readonly RunConfig Config = TestModels.Tiny with
    {
        Model = TestModels.Tiny.Model with
        {
            Width = C,
            FeedForward = FeedForwardKind.ClampedSwiGlu,
            SwigluLimit = Limit,
            SwigluAlpha = Alpha,
        },
        Moe = new MoeConfig { Experts = E, Active = K, Hidden = F, RouterBias = true, ExpertBiases = BiasChoice.True },
    };

    [Fact]
    public void Layer_ValuesAndGradients_AreThoseOfTheDoubleReference()
    {
        using CpuBackend backend = new(2);
        using ParameterStore store = new(backend);
        MoeLayer layer = new(store, "moe", Config.Model, Config.Moe, layer: 0);
        store.Allocate(seed: 5);
        Dictionary<string, double[]> values = [];
        foreach (Parameter parameter in store.All)
        {
            float[] drawn = Draw(parameter.Count, stream: (int)parameter.Offset);
            backend.Write<float>(drawn, parameter.Data);
            values.Add(parameter.Name["moe.".Length..], Array.ConvertAll(drawn, v => (double)v));
        }

        float[] x = Draw(N * C, stream: -1), dy = Draw(N * C, stream: -2);
        using Tape tape = backend.NewTape();
        Tensor input = tape.Variable((N, C), x);
        Tensor y = layer.Forward(input, RoutingContext.For(input, Pass.Inference)).Y;
        float[] actual = y.ToArray();
        tape.Backward(y.Multiply(tape.Constant((N, C), dy)).Sum());
        store.RequireGradients();

        double[] at = Array.ConvertAll(x, v => (double)v), expected = Reference(at, values);
        for (int i = 0; i < actual.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-5 * (1 + Math.Abs(expected[i])));
        AssertGradient("x", at, backend.Read(input.Grad));
        foreach (Parameter parameter in store.All)
            AssertGradient(parameter.Name, values[parameter.Name["moe.".Length..]], backend.Read(parameter.Grad));

        void AssertGradient(string name, double[] of, float[] gradient)
        {
            const double H = 1e-6;
            for (int i = 0; i < of.Length; i++)
            {
                double before = of[i];
                of[i] = before + H;
                double above = Reference(at, values).Zip(dy, (a, b) => a * b).Sum();
                of[i] = before - H;
                double below = Reference(at, values).Zip(dy, (a, b) => a * b).Sum();
                of[i] = before;
                double numeric = (above - below) / (2 * H);
                bool isNear = Math.Abs(numeric - gradient[i]) <= 1e-4 * (1 + Math.Abs(numeric));
                Assert.True(isNear, $"{name} [{i}]: expected {numeric}, got {gradient[i]}");
            }
        }
    }

    private static float[] Draw(int count, int stream)
    {
        Philox random = new(new RandomKey(11, RandomPurpose.Other, stream));
        return [.. Enumerable.Range(0, count).Select(i => 0.7f * random.Normal(i))];
    }

    /// <summary>y (N, C), token by token and expert by expert.</summary>
    private static double[] Reference(double[] x, Dictionary<string, double[]> p)
    {
        List<double> y = [];
        foreach (double[] token in x.Chunk(C))
        {
            double[] logits = Linear(token, p["router.weight"], p["router.bias"], 0, E);
            int[] best = [.. Enumerable.Range(0, E).OrderByDescending(e => logits[e]).Take(K)];
            double sum = best.Sum(e => Math.Exp(logits[e]));
            double[] mixed = new double[C];
            foreach (int e in best)
            {
                double[] gate = Of("gate", token, e, F), up = Of("up", token, e, F);
                double[] hidden = [.. gate.Zip(up, (g, u) =>
                {
                    g = Math.Min(g, Limit);
                    return g / (1 + Math.Exp(-Alpha * g)) * (Math.Clamp(u, -Limit, Limit) + 1);
                })];
                double[] down = Of("down", hidden, e, C);
                for (int c = 0; c < C; c++)
                    mixed[c] += Math.Exp(logits[e]) / sum * down[c];
            }

            y.AddRange(mixed);
        }

        return [.. y];

        double[] Of(string name, double[] input, int e, int outputs) =>
            Linear(input, p[$"experts.{name}.weight"], p[$"experts.{name}.bias"], e, outputs);
    }

    /// <summary>The map of expert e of a stack.</summary>
    private static double[] Linear(double[] x, double[] w, double[] b, int e, int outputs) =>
        [.. Enumerable.Range(e * outputs, outputs).Select(o => b[o] + x.Select((v, i) => v * w[o * x.Length + i]).Sum())];
}
