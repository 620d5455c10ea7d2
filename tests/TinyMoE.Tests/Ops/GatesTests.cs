using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class GatesTests : OpTests<GatesTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases => new[] { (1, 1), (5, 3), (7, 37), (3, 300) }.SelectMany(size => new[]
    {
        Noisy(size.Item1, size.Item2, "noisy", y => y.Noisy, (noisy, sigma) => noisy),
        Noisy(size.Item1, size.Item2, "sigma", y => y.Sigma, (noisy, sigma) => sigma),
        Noisy(size.Item1, size.Item2, "both", y => y.Noisy.Multiply(y.Sigma), (noisy, sigma) => noisy * sigma),
        Share(size.Item1, size.Item2),
    });

    private static OpCase Noisy(
        int N, int E, string wanted, Func<(Tensor Noisy, Tensor Sigma), Tensor> op, Func<double, double, double> reference) => new(
        $"NoisyLogits {N}x{E} {wanted}",
        [new Operand((N, E), WantsGrad: wanted != "sigma"), new Operand((N, E), -3, 3), new Operand((N, E), -2, 2, WantsGrad: false)],
        x => op(x[0].NoisyLogits(x[1], x[2], 0.1f)),
        x => [.. Enumerable.Range(0, N * E).Select(i =>
        {
            double sigma = Math.Log(1 + Math.Exp(x[1][i])) + 0.1f;
            return reference(x[0][i] + sigma * x[2][i], sigma);
        })]);

    private static OpCase Share(int N, int C) => new($"Share {N}x{C}", [new Operand((N, C), 0.2, 2)], x => x[0].Share(1e-2f, 2.5f),
        x => [.. x[0].Chunk(C).SelectMany(row => row.Select(v => 2.5 * v / (row.Sum() + 1e-2f)))]);
}
