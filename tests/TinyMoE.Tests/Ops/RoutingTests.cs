using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class RoutingTests : OpTests<RoutingTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        SelectColumns(5, 7, 3), SelectColumns(1, 1, 1),
        SelectTopK(6, 5, 2), SelectTopK(3, 9, 9),
        ScatterColumns(5, 7, 3), ScatterColumns(9, 3701, 2),
        Gather(37, 11), Gather(8, 8),
    ];

    [Theory]
    [InlineData(4, 8, 2)]
    [InlineData(3, 67, 67)]
    [InlineData(2, 500, 120)]
    [InlineData(9000, 5, 1)]
    public void TopK_RandomRowsWithEquals_AgreesWithStableSort(int T, int E, int K)
    {
        Philox random = new(new RandomKey(5, RandomPurpose.Other, Step: E));
        float[] x = [.. Enumerable.Range(0, T * E).Select(i => (float)random.Below(E, i))]; // some are equal
        using CpuBackend backend = new(threads: 2);
        using Tape tape = backend.NewTape();
        int[] columns = backend.Read(tape.Constant((T, E), x).TopK(K));
        for (int t = 0; t < T; t++)
            Assert.Equal(Enumerable.Range(0, E).OrderByDescending(e => x[t * E + e]).Take(K), columns[(t * K)..((t + 1) * K)]);
    }

    [Fact]
    public void TopK_NaN_IsSmallest()
    {
        float[] x = [float.NaN, float.NegativeInfinity, 1, float.NaN, float.PositiveInfinity];
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Assert.Equal([4, 2, 1, 0, 3], backend.Read(tape.Constant((1, 5), x).TopK(5)));
    }

    [Fact]
    public void TopK_MoreThanColumns_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Assert.Throws<ArgumentException>(() => tape.Constant((1, 3), [1, 2, 3]).TopK(4));
    }

    private static OpCase SelectColumns(int T, int E, int K)
    {
        int[] columns = [.. Enumerable.Range(0, T * K).Select(i => i * 5 % E)];
        return new($"SelectColumns {T}x{E} to {K}", [(T, E)], x => x[0].SelectColumns(x[0].Tape.Ints(columns), K),
            x => [.. columns.Select((column, i) => x[0][i / K * E + column])]);
    }

    private static OpCase SelectTopK(int T, int E, int K) => new(
        $"TopK {T}x{E} of {K}", [(T, E)], x => x[0].SelectColumns(x[0].TopK(K), K),
        x => [.. Enumerable.Range(0, T).SelectMany(t => x[0].Skip(t * E).Take(E).OrderDescending().Take(K))]);

    private static OpCase ScatterColumns(int T, int E, int K)
    {
        int[] columns = [.. Enumerable.Range(0, T * K).Select(i => i * i % E)]; // some occur twice in a row
        return new($"ScatterColumns {T}x{K} to {E}", [(T, K)], x => x[0].ScatterColumns(x[0].Tape.Ints(columns), E),
            x =>
            {
                double[] y = new double[T * E];
                for (int i = 0; i < columns.Length; i++)
                    y[i / K * E + columns[i]] += x[0][i];
                return y;
            });
    }

    private static OpCase Gather(int length, int n)
    {
        int[] indices = [.. Enumerable.Range(0, n).Select(i => i * 3 % length)];
        return new($"Gather {n} of {length}", [length], x => x[0].Gather(x[0].Tape.Ints(indices)),
            x => [.. indices.Select(index => x[0][index])]);
    }
}
