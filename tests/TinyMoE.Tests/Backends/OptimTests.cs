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
    public void Norm_AnyThreads_IsExactToDouble(int n)
    {
        float[] values = [.. Enumerable.Range(0, n).Select(i => Random(9, i))];
        double expected = Math.Sqrt(values.Sum(v => (double)v * v));
        float[] norms = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            Tensor norm = tape.Constant(1);
            backend.Norm(tape.Constant(n, values).Data, n, norm.Data);
            return norm.Item();
        })];
        Assert.Equal(norms[0], norms[1]);
        Assert.Equal((float)expected, norms[0]);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void AdamW_NormIsNotFinite_ChangesNothing(float length)
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor ones = tape.Constant(3, [1f, 1f, 1f]), norm = tape.Constant(1, [length]), w = tape.Constant(3, [1f, 2f, 3f]),
            m = tape.Constant(3, [0f, 0f, 0f]), v = tape.Constant(3, [0f, 0f, 0f]);
        backend.AdamW(ones.Data, norm.Data, new AdamWStep(1, 0.1f, 0.9f, 0.95f, 1e-8f, 0.1f, Clip: 1f), 3, w.Data, m.Data, v.Data);
        Assert.Equal([1f, 2f, 3f], w.ToArray());
        Assert.Equal([0f, 0f, 0f], m.ToArray());
        Assert.Equal([0f, 0f, 0f], v.ToArray());
    }

    private static float[] Train(int threads, int n)
    {
        using CpuBackend backend = new(threads);
        using Tape tape = backend.NewTape();
        Tensor w = tape.Constant(n, [.. Enumerable.Range(0, n).Select(i => Random(0, i))]);
        Tensor m = tape.Constant(n), v = tape.Constant(n), norm = tape.Constant(1, [10f]);
        backend.Fill(m.Data, 0f);
        backend.Fill(v.Data, 0f);
        for (int step = 1; step <= 5; step++)
        {
            Tensor g = tape.Constant(n, [.. Enumerable.Range(0, n).Select(i => Random(step, i))]);
            backend.AdamW(g.Data, norm.Data, new AdamWStep(step, 0.01f, 0.9f, 0.95f, 1e-8f, 0.1f, Clip: 7f), n, w.Data, m.Data, v.Data);
        }

        return backend.Read(w.Data);
    }

    private static float Random(int step, int i) => 2 * new Philox(new RandomKey(3, RandomPurpose.Other, step)).Uniform(i) - 1;
}
