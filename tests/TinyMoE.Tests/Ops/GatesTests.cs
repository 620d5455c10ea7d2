using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class GatesTests : OpTests<GatesTests>, IOpCases
{
    private const float Least = 1e-35f;

    public static IEnumerable<OpCase> Cases => new[] { (1, 1), (5, 3), (7, 37), (3, 300) }.SelectMany(size => new[]
    {
        Noisy(size.Item1, size.Item2, "noisy", y => y.Noisy, (noisy, sigma) => noisy),
        Noisy(size.Item1, size.Item2, "sigma", y => y.Sigma, (noisy, sigma) => sigma),
        Noisy(size.Item1, size.Item2, "both", y => y.Noisy.Multiply(y.Sigma), (noisy, sigma) => noisy * sigma),
        Share(size.Item1, size.Item2, times: 1f),
        Share(size.Item1, size.Item2, times: 1e-7f),
        Share(size.Item1, size.Item2, times: 1e-15f),
        Share(size.Item1, size.Item2, times: 1e-25f),
        Share(size.Item1, size.Item2, times: 1e-33f),
        NoShare(size.Item1, size.Item2, times: 0f),
        NoShare(size.Item1, size.Item2, times: 1e-39f),
    });

    [Theory]
    [InlineData(1f)]
    [InlineData(1e-6f)]
    [InlineData(1e-20f)]
    [InlineData(1e-33f)]
    public void Share_OfAnySize_SumsToTheScale(float times)
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((2, 3), [0.1f * times, 0.5f * times, 0.9f * times, 0f, 0f, 0.7f * times]);
        float[] gates = x.Share(Least, 2.5f).ToArray();
        Assert.Equal(2.5f, gates[..3].Sum(), 1e-5f);
        Assert.Equal([0f, 0f, 2.5f], gates[3..]);
    }

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

    /// <summary>Shares do not depend on how large all values are, and neither does what their gradient says.</summary>
    private static OpCase Share(int N, int C, float times) => new(
        $"Share {N}x{C} of {times}", [new Operand((N, C), 0.2, 2)], x => x[0].Scale(times).Share(Least, 2.5f),
        x => [.. x[0].Chunk(C).SelectMany(row => row.Select(v => 2.5 * v / row.Sum()))]);

    private static OpCase NoShare(int N, int C, float times) => new(
        $"Share {N}x{C} of {times}", [new Operand((N, C), 0.2, 1)], x => x[0].Scale(times).Share(Least, 2.5f),
        x => [.. x[0].Select(_ => 2.5 / C)]);
}
