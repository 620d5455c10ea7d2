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
        Rope(2, 3, 2, 2, 1, interleaved: true), Rope(1, 4, 3, 6, 0, interleaved: true), Rope(2, 2, 1, 34, 3, interleaved: true),
        Rope(1, 3, 2, 64, 1, interleaved: true), InPlace(Rope(2, 3, 2, 18, 1, interleaved: true)),
        Rope(2, 3, 2, 5, 1, size: 2), Rope(1, 3, 2, 40, 0, size: 34), InPlace(Rope(2, 3, 2, 21, 1, size: 8)),
        Rope(2, 3, 2, 7, 1, size: 4, interleaved: true), Rope(1, 3, 2, 51, 0, size: 34, interleaved: true),
        InPlace(Rope(2, 3, 2, 9, 1, size: 6, interleaved: true)),
        Pair(2, 3, 4, 2, 9, 1, size: 4), InPlace(Pair(1, 4, 3, 1, 36, 3, size: 18, interleaved: true)),
    ];

    [Fact]
    public void Rope_PositionOutsideTable_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((1, 2, 1, 4), new float[8]), table = tape.Constant(6, new float[6]);
        Assert.Throws<ArgumentException>(() => x.Rope(table.Data, table.Data, start: 2));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(6)]
    [InlineData(-2)]
    public void Rope_OfASizeThatDoesNotFit_Throws(int size)
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((1, 1, 1, 5), new float[5]), table = tape.Constant(9, new float[9]);
        Assert.Throws<ArgumentException>(() => x.Rope(table.Data, table.Data, size: size));
        Assert.Throws<ArgumentException>(() => x.Rope(table.Data, table.Data)); // all of an odd head
    }

    /// <summary>A case of activations, whose memory the op takes over.</summary>
    private static OpCase InPlace(OpCase rope) =>
        rope with { Name = $"{rope.Name} in place", Op = x => rope.Op([.. x.Select(input => input.Scale(1f))]) };

    private static OpCase Rope(int B, int T, int H, int D, int start, int size = 0, bool interleaved = false)
    {
        double[] angles = Angles(start + T, size == 0 ? D : size);
        return new($"Rope {B}x{T}x{H}x{D} from {start}{Kind(size, interleaved)}", [(B, T, H, D)],
            x => x[0].Rope(Table(x[0].Tape, angles, Math.Cos), Table(x[0].Tape, angles, Math.Sin), start, size, interleaved),
            x => Turned(x[0], angles, T, H, D, start, size, interleaved));
    }

    private static string Kind(int size, bool interleaved) =>
        $"{(size == 0 ? "" : $", {size} of a head")}{(interleaved ? ", neighbours" : "")}";

    /// <summary>Queries and keys together; the result has those that are wanted side by side, one row per token.</summary>
    private static OpCase Pair(
        int B, int T, int H, int KvHeads, int D, int start, bool wantsQ = true, bool wantsK = true, int size = 0,
        bool interleaved = false)
    {
        double[] angles = Angles(start + T, size == 0 ? D : size);
        string wanted = $"{(wantsQ ? "" : ", keys wanted")}{(wantsK ? "" : ", queries wanted")}";
        return new($"Rope {B}x{T}x{H}+{KvHeads}x{D} from {start}{wanted}{Kind(size, interleaved)}",
            [new Operand((B, T, H, D), WantsGrad: wantsQ), new Operand((B, T, KvHeads, D), WantsGrad: wantsK)],
            x =>
            {
                (Floats cos, Floats sin) = (Table(x[0].Tape, angles, Math.Cos), Table(x[0].Tape, angles, Math.Sin));
                (Tensor q, Tensor k) = x[0].Rope(x[1], cos, sin, start, size, interleaved);
                Tensor queries = q.Reshape((B * T, H * D)), keys = k.Reshape((B * T, KvHeads * D));
                return !wantsQ ? keys : !wantsK ? queries : queries.ConcatColumns(keys);
            },
            x =>
            {
                double[][] q = [.. Turned(x[0], angles, T, H, D, start, size, interleaved).Chunk(H * D)];
                double[][] k = [.. Turned(x[1], angles, T, KvHeads, D, start, size, interleaved).Chunk(KvHeads * D)];
                return [.. Enumerable.Range(0, B * T).SelectMany(n => (double[])[.. wantsQ ? q[n] : [], .. wantsK ? k[n] : []])];
            });
    }

    internal static double[] Angles(int positions, int D)
    {
        int pairs = D / 2;
        return [.. Enumerable.Range(0, positions * pairs).Select(i => i / pairs * Math.Pow(100, -(i % pairs) / (D / 2.0)))];
    }

    internal static Floats Table(Tape tape, double[] angles, Func<double, double> f) =>
        tape.Constant(angles.Length, Array.ConvertAll(angles, a => (float)f(a))).Data;

    internal static double[] Turned(double[] x, double[] angles, int T, int H, int D, int start, int size, bool interleaved)
    {
        int half = (size == 0 ? D : size) / 2;
        double[] y = [.. x];
        for (int head = 0; head < x.Length / D; head++)
        {
            for (int pair = 0; pair < half; pair++)
            {
                double angle = angles[(start + head / H % T) * half + pair], cos = Math.Cos(angle), sin = Math.Sin(angle);
                int a = head * D + (interleaved ? 2 * pair : pair), b = interleaved ? a + 1 : a + half;
                (y[a], y[b]) = (x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin);
            }
        }

        return y;
    }
}
