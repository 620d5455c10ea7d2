using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class RopeTests : OpTests<RopeTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        Rope(1, 1, 1, 2, 0), Rope(2, 5, 3, 6, 0), Rope(1, 4, 2, 16, 3), Rope(2, 3, 1, 34, 1), Rope(1, 9, 2, 64, 0), InPlace(Rope(2, 5, 3, 6, 0)), InPlace(Rope(2, 3, 1, 34, 1)),
    ];

    [Fact]
    public void Rope_PositionOutsideTable_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((1, 2, 1, 4), new float[8]), table = tape.Constant(6, new float[6]);
        Assert.Throws<ArgumentException>(() => x.Rope(table.Data, table.Data, start: 2));
    }

    /// <summary>The same of an activation, whose memory the op takes over.</summary>
    private static OpCase InPlace(OpCase rope) => rope with { Name = $"{rope.Name} in place", Op = x => rope.Op([x[0].Scale(1f)]) };

    private static OpCase Rope(int B, int T, int H, int D, int start)
    {
        int half = D / 2;
        double[] angles = [.. Enumerable.Range(0, (start + T) * half).Select(i => i / half * Math.Pow(100, -(i % half) / (double)half))];
        float[] cos = Array.ConvertAll(angles, a => (float)Math.Cos(a)), sin = Array.ConvertAll(angles, a => (float)Math.Sin(a));
        return new($"Rope {B}x{T}x{H}x{D} from {start}", [(B, T, H, D)],
            x => x[0].Rope(x[0].Tape.Constant(cos.Length, cos).Data, x[0].Tape.Constant(sin.Length, sin).Data, start),
            x =>
            {
                double[] y = new double[x[0].Length];
                for (int i = 0; i < y.Length; i++)
                {
                    int n = i / (H * D), pair = i % half, angle = (start + n % T) * half + pair;
                    bool low = i % D < half;
                    y[i] = x[0][i] * Math.Cos(angles[angle]) + (low ? -x[0][i + half] : x[0][i - half]) * Math.Sin(angles[angle]);
                }

                return y;
            });
    }
}
