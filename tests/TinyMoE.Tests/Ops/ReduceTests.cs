using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class ReduceTests : OpTests<ReduceTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases => new[] { (1, 1), (5, 37), (130, 9) }.SelectMany(size => new[]
    {
        Rows("SumRows", size.Item1, size.Item2, x => x.SumRows(), 1),
        Rows("MeanRows", size.Item1, size.Item2, x => x.MeanRows(), 1.0 / size.Item1),
        Columns("SumColumns", size.Item1, size.Item2, x => x.SumColumns(), 1),
        Columns("MeanColumns", size.Item1, size.Item2, x => x.MeanColumns(), 1.0 / size.Item2),
        new OpCase($"Sum {size.Item1}x{size.Item2}", [size], x => x[0].Sum(), x => [x[0].Sum()]),
        new OpCase($"Mean {size.Item1}x{size.Item2}", [size], x => x[0].Mean(), x => [x[0].Average()]),
    });

    [Fact]
    public void LargeSums_AnyThreads_SameBitsAndCloseToDouble()
    {
        const int N = 3001, C = 67;
        float[] values = [.. Enumerable.Range(0, N * C).Select(i => new Philox(new RandomKey(5, RandomPurpose.Other, 0)).Uniform(i))];
        float[][] results = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            Tensor x = tape.Variable((N, C), values), w = tape.Variable((N, C), values);
            Tensor sum = x.Sum(), rows = w.SumRows();
            float[] forward = [.. sum.ToArray(), .. rows.ToArray()];
            tape.Backward(rows.Multiply(rows).Sum().Add(sum));
            return (float[])[.. forward, .. backend.Read(x.Grad), .. backend.Read(w.Grad)];
        })];
        Assert.Equal(results[0], results[1]);
        double expected = values.Sum(v => (double)v), first = Enumerable.Range(0, N).Sum(n => (double)values[n * C]);
        Assert.Equal(1, results[0][0] / expected, 1e-6);
        Assert.Equal(1, results[0][1] / first, 1e-6);
        Assert.All(results[0].AsSpan(1 + C, N * C).ToArray(), g => Assert.Equal(1f, g));
        Assert.Equal(2 * first, results[0][1 + C + N * C], 0.01);
    }

    [Fact]
    public void SumRows_NoRows_IsZero()
    {
        using CpuBackend backend = new(2);
        using Tape tape = backend.NewTape();
        Assert.Equal([0f, 0f, 0f], tape.Constant((0, 3)).SumRows().ToArray());
    }

    private static OpCase Rows(string name, int N, int C, Func<Tensor, Tensor> op, double scale) => new(
        $"{name} {N}x{C}", [(N, C)], x => op(x[0]),
        x => [.. Enumerable.Range(0, C).Select(c => scale * Enumerable.Range(0, N).Sum(n => x[0][n * C + c]))]);

    private static OpCase Columns(string name, int N, int C, Func<Tensor, Tensor> op, double scale) => new(
        $"{name} {N}x{C}", [(N, C)], x => op(x[0]),
        x => [.. Enumerable.Range(0, N).Select(n => scale * Enumerable.Range(0, C).Sum(c => x[0][n * C + c]))]);
}
