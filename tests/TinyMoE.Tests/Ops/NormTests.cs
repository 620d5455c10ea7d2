using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;
using TinyMoE.Tests.Backends;

namespace TinyMoE.Tests.Ops;

public sealed class NormTests : OpTests<NormTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        .. Sizes.Select(size => RmsNorm(size.N, size.C)),
        .. Sizes.Select(size => LayerNorm(size.N, size.C, bias: true)),
        LayerNorm(5, 37, bias: false),
        .. Sizes.SelectMany(size => new[] { AddRmsNorm(size.N, size.C, UseOf.Both), AddLayerNorm(size.N, size.C, UseOf.Both) }),
        AddRmsNorm(5, 37, UseOf.Norm), AddRmsNorm(5, 37, UseOf.Sum), AddLayerNorm(5, 37, UseOf.Norm), AddLayerNorm(5, 37, UseOf.Sum),
        .. Enum.GetValues<UseOf>().SelectMany(use => new[] { InPlace(AddRmsNorm(5, 37, use)), InPlace(AddLayerNorm(4, 13, use)) }),
    ];

    /// <summary>Which results of a norm of a sum the loss depends on.</summary>
    private enum UseOf
    {
        Both,
        Norm,
        Sum,
    }

    private static (int N, int C)[] Sizes => [(1, 1), (5, 37), (3, 64), (4, 13), (101, 9)];

    [Theory]
    [InlineData(2100, 37)]
    [InlineData(300, 333)]
    public void Backwards_ManyBlocks_AnyThreads_SameBits(int N, int C)
    {
        float[][] results = [.. new[] { 1, 3, 64 }.Select(threads =>
        {
            using CpuBackend backend = threads < 64 ? new(threads) : new(new WorkList(threads), threads);
            using Tape tape = backend.NewTape();
            RandomKey key = new(1, RandomPurpose.Other, 0);
            Tensor x = tape.Variable((N, C), tape.Normal(N * C, key).ToArray());
            Tensor w = tape.Variable(C, tape.Uniform(C, key).ToArray()), b = tape.Variable(C, new float[C]);
            tape.Backward(x.LayerNorm(w, b).Add(x.RmsNorm(w)), tape.Normal(N * C, key with { Step = 1 }).ToArray());
            return (float[])[.. backend.Read(x.Grad), .. backend.Read(w.Grad), .. backend.Read(b.Grad)];
        })];
        Assert.Equal(results[0], results[1]);
        Assert.Equal(results[0], results[2]);
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

    private static OpCase AddRmsNorm(int N, int C, UseOf use) =>
        AddNorm("AddRmsNorm", RmsNorm(N, C), use, x => x[0].AddRmsNorm(x[1], x[2], 1e-5f));

    private static OpCase AddLayerNorm(int N, int C, UseOf use) =>
        AddNorm("AddLayerNorm", LayerNorm(N, C, bias: true), use, x => x[0].AddLayerNorm(x[1], x[2], x[3], 1e-3f));

    /// <summary>
    /// The norm of a sum from the case of the norm: y·2 + s, or one of them. Inputs:
    /// x, branch, and the norm's parameters, which only the norm gives a gradient.
    /// </summary>
    private static OpCase AddNorm(string name, OpCase norm, UseOf use, Func<Tensor[], (Tensor Sum, Tensor Y)> op)
    {
        Operand[] parameters = [.. norm.Inputs.Skip(1).Select(input => input with { WantsGrad = use != UseOf.Sum })];
        return new($"{name} of {norm.Name}, use {use}", [norm.Inputs[0], norm.Inputs[0], .. parameters],
            x =>
            {
                var (sum, y) = op(x);
                return use switch { UseOf.Norm => y, UseOf.Sum => sum.Scale(1f), _ => y.Scale(2f).Add(sum) };
            },
            x =>
            {
                double[] sum = [.. x[0].Zip(x[1], (a, b) => a + b)];
                double[] y = norm.Reference([sum, .. x.Skip(2)]);
                return use switch { UseOf.Norm => y, UseOf.Sum => sum, _ => [.. y.Zip(sum, (a, b) => 2 * a + b)] };
            });
    }

    /// <summary>A norm of a sum where the branch is an activation, whose memory the sum takes over.</summary>
    private static OpCase InPlace(OpCase norm) =>
        norm with { Name = $"{norm.Name}, in place", Op = x => norm.Op([x[0], x[1].Scale(1f), .. x.Skip(2)]) };

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
