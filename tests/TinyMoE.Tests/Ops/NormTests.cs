using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class NormTests : OpTests<NormTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        .. Sizes.Select(size => RmsNorm(size.N, size.C)),
        .. Sizes.Select(size => LayerNorm(size.N, size.C, bias: true)),
        LayerNorm(5, 37, bias: false),
    ];

    private static (int N, int C)[] Sizes => [(1, 1), (5, 37), (3, 64), (4, 13), (101, 9)];

    [Fact]
    public void Backwards_ManyBlocks_AnyThreads_SameBits()
    {
        const int N = 2100, C = 37;
        float[][] results = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            RandomKey key = new(1, RandomPurpose.Other, 0);
            Tensor x = tape.Variable((N, C), tape.Normal(N * C, key).ToArray()), w = tape.Variable(C, tape.Uniform(C, key).ToArray()), b = tape.Variable(C, new float[C]);
            tape.Backward(x.LayerNorm(w, b).Add(x.RmsNorm(w)), tape.Normal(N * C, key with { Step = 1 }).ToArray());
            return (float[])[.. backend.Read(x.Grad), .. backend.Read(w.Grad), .. backend.Read(b.Grad)];
        })];
        Assert.Equal(results[0], results[1]);
    }

    [Fact]
    public void LayerNorm_LargeMeanSmallSpread_KeepsPrecision()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((1, 4), [10_000, 10_001, 10_002, 10_003]), one = tape.Constant(4, [1, 1, 1, 1]);
        float[] y = x.LayerNorm(one, null, eps: 0f).ToArray();
        Assert.Equal(-1.3416408, y[0], 1e-6);
        Assert.Equal(0.4472136, y[2], 1e-6);
    }

    private static OpCase RmsNorm(int N, int C) => new(
        $"RmsNorm {N}x{C}", [(N, C), C], x => x[0].RmsNorm(x[1], 1e-5f),
        x =>
        {
            double[] y = new double[N * C];
            for (int n = 0; n < N; n++)
            {
                double mean = x[0].Skip(n * C).Take(C).Sum(v => v * v) / C;
                for (int c = 0; c < C; c++)
                    y[n * C + c] = x[0][n * C + c] / Math.Sqrt(mean + 1e-5) * x[1][c];
            }

            return y;
        });

    private static OpCase LayerNorm(int N, int C, bool bias) => new(
        $"LayerNorm {N}x{C} bias {bias}", bias ? [(N, C), C, C] : [(N, C), C], x => x[0].LayerNorm(x[1], bias ? x[2] : null, 1e-3f),
        x => [.. x[0].Chunk(C).SelectMany(row =>
        {
            double mean = row.Average(), r = 1 / Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + 1e-3);
            return row.Select((v, c) => (v - mean) * r * x[1][c] + (bias ? x[2][c] : 0));
        })]);
}
