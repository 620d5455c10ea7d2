using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Ops;

public sealed class RopeTests : OpTests<RopeTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        Rope(1, 1, 1, 2, 0), Rope(2, 5, 3, 6, 0), Rope(1, 4, 2, 16, 3), Rope(2, 3, 1, 34, 1), Rope(1, 9, 2, 64, 0),
        InPlace(Rope(2, 5, 3, 6, 0)), InPlace(Rope(2, 3, 1, 34, 1)),
        Pair(2, 5, 4, 2, 6, 0), Pair(1, 4, 3, 1, 34, 3), InPlace(Pair(2, 5, 4, 2, 6, 0)),
        Pair(2, 3, 2, 2, 6, 1, wantsK: false), InPlace(Pair(2, 3, 2, 1, 6, 1, wantsQ: false)),
    ];

    [Fact]
    public void Rope_PositionOutsideTable_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((1, 2, 1, 4), new float[8]), table = tape.Constant(6, new float[6]);
        Assert.Throws<ArgumentException>(() => x.Rope(table.Data, table.Data, start: 2));
    }

    /// <summary>The same of activations, whose memory the op takes over.</summary>
    private static OpCase InPlace(OpCase rope) =>
        rope with { Name = $"{rope.Name} in place", Op = x => rope.Op([.. x.Select(input => input.Scale(1f))]) };

    private static OpCase Rope(int B, int T, int H, int D, int start)
    {
        double[] angles = Angles(start + T, D);
        return new($"Rope {B}x{T}x{H}x{D} from {start}", [(B, T, H, D)],
            x => x[0].Rope(Table(x[0].Tape, angles, Math.Cos), Table(x[0].Tape, angles, Math.Sin), start),
            x => Turned(x[0], angles, T, H, D, start));
    }

    /// <summary>Queries and keys together; the result has those that are wanted side by side, one row per token.</summary>
    private static OpCase Pair(int B, int T, int H, int KvHeads, int D, int start, bool wantsQ = true, bool wantsK = true)
    {
        double[] angles = Angles(start + T, D);
        return new($"Rope {B}x{T}x{H}+{KvHeads}x{D} from {start}{(wantsQ ? "" : ", keys wanted")}{(wantsK ? "" : ", queries wanted")}",
            [new Operand((B, T, H, D), WantsGrad: wantsQ), new Operand((B, T, KvHeads, D), WantsGrad: wantsK)],
            x =>
            {
                (Tensor q, Tensor k) = x[0].Rope(x[1], Table(x[0].Tape, angles, Math.Cos), Table(x[0].Tape, angles, Math.Sin), start);
                Tensor queries = q.Reshape((B * T, H * D)), keys = k.Reshape((B * T, KvHeads * D));
                return !wantsQ ? keys : !wantsK ? queries : queries.ConcatColumns(keys);
            },
            x =>
            {
                double[][] q = [.. Turned(x[0], angles, T, H, D, start).Chunk(H * D)];
                double[][] k = [.. Turned(x[1], angles, T, KvHeads, D, start).Chunk(KvHeads * D)];
                return [.. Enumerable.Range(0, B * T).SelectMany(n => (double[])[.. wantsQ ? q[n] : [], .. wantsK ? k[n] : []])];
            });
    }

    private static double[] Angles(int positions, int D)
    {
        int pairs = D / 2;
        return [.. Enumerable.Range(0, positions * pairs).Select(i => i / pairs * Math.Pow(100, -(i % pairs) / (D / 2.0)))];
    }

    private static Floats Table(Tape tape, double[] angles, Func<double, double> f) =>
        tape.Constant(angles.Length, Array.ConvertAll(angles, a => (float)f(a))).Data;

    private static double[] Turned(double[] x, double[] angles, int T, int H, int D, int start)
    {
        int half = D / 2;
        double[] y = new double[x.Length];
        for (int i = 0; i < y.Length; i++)
        {
            double angle = angles[(start + i / (H * D) % T) * half + i % half];
            y[i] = x[i] * Math.Cos(angle) + (i % D < half ? -x[i + half] : x[i - half]) * Math.Sin(angle);
        }

        return y;
    }
}
