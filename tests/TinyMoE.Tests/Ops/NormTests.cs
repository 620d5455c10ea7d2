using TinyMoE.Ops;

namespace TinyMoE.Tests.Ops;

public sealed class NormTests : OpTests<NormTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        .. new[] { (1, 1), (5, 37), (3, 64) }.Select(size => RmsNorm(size.Item1, size.Item2)),
    ];

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
}
