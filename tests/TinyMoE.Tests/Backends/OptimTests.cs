using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Backends;

public sealed class OptimTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(40_001)]
    public void AdamW_SeveralSteps_FollowsTheDoublePrecisionFormula(int n)
    {
        float[][] runs = [.. new[] { 1, 3 }.Select(threads => Train(threads, n))];
        Assert.Equal(runs[0], runs[1]);

        const double Rate = 0.01, Decay = 0.1, Clip = 0.7;
        double beta1 = 0.9f, beta2 = 0.95f;
        for (int i = 0; i < n; i++)
        {
            double w = Random(0, i), m = 0, v = 0;
            for (int step = 1; step <= 5; step++)
            {
                double g = Clip * Random(step, i);
                m = beta1 * m + (1 - beta1) * g;
                v = beta2 * v + (1 - beta2) * g * g;
                w -= Rate * (m / (1 - Math.Pow(beta1, step)) / (Math.Sqrt(v / (1 - Math.Pow(beta2, step))) + 1e-8) + Decay * w);
            }

            Assert.Equal(w, runs[0][i], 2e-6);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(50_003)]
    public void SquaredSum_AnyThreads_IsExactToDouble(int n)
    {
        float[] values = [.. Enumerable.Range(0, n).Select(i => Random(9, i))];
        double expected = values.Sum(v => (double)v * v);
        double[] sums = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            return backend.SquaredSum(tape.Constant(n, values).Data, n);
        })];
        Assert.Equal(sums[0], sums[1]);
        Assert.Equal(expected, sums[0], 1e-12 * expected);
    }

    private static float[] Train(int threads, int n)
    {
        using CpuBackend backend = new(threads);
        using Tape tape = backend.NewTape();
        Tensor w = tape.Constant(n, [.. Enumerable.Range(0, n).Select(i => Random(0, i))]);
        Tensor m = tape.Constant(n), v = tape.Constant(n);
        backend.Fill(m.Data, 0f);
        backend.Fill(v.Data, 0f);
        for (int step = 1; step <= 5; step++)
        {
            Tensor g = tape.Constant(n, [.. Enumerable.Range(0, n).Select(i => Random(step, i))]);
            backend.AdamW(g.Data, new AdamWStep(step, 0.01f, 0.9f, 0.95f, 1e-8f, 0.1f, 0.7f), n, w.Data, m.Data, v.Data);
        }

        return backend.Read(w.Data);
    }

    private static float Random(int step, int i) => 2 * new Philox(new RandomKey(3, RandomPurpose.Other, step)).Uniform(i) - 1;
}
