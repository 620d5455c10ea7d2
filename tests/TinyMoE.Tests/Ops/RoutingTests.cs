using TinyMoE.Backends.Cpu;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class RoutingTests : OpTests<RoutingTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        SelectColumns(5, 7, 3), SelectColumns(1, 1, 1),
        SelectTopK(6, 5, 2), SelectTopK(3, 9, 9), SelectTopK(5, 3, 2, groups: 7), SelectTopK(2, 11, 11, groups: 2),
        ScatterColumns(5, 7, 3), ScatterColumns(9, 3701, 2),
        SelectColumns(5, 7, 3, dropped: true), SelectColumns(301, 3, 2, dropped: true),
        ScatterColumns(5, 7, 3, dropped: true), ScatterColumns(301, 3, 2, dropped: true),
        Assign(1, 1, 1, 0), Assign(7, 5, 2, 0), Assign(7, 5, 2, 3), Assign(301, 3, 2, 2),
        Route(7, 5, 2, overAll: false), Route(7, 5, 2, overAll: true), Route(3, 67, 9, overAll: false), Route(3, 67, 9, overAll: true),
        Route(1, 1, 1, overAll: true), Route(5, 3, 1, overAll: false), Route(4, 6, 6, overAll: true),
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
    public void TopK_WideRowOfNaN_FindsWhatIsNot()
    {
        float[] x = [.. Enumerable.Repeat(float.NaN, 43)];
        (x[20], x[29], x[41]) = (1, float.NegativeInfinity, 2);
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Assert.Equal([41, 20, 29, 0], backend.Read(tape.Constant((1, 43), x).TopK(4)));
    }

    [Fact]
    public void TopK_MoreThanColumns_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Assert.Throws<ArgumentException>(() => tape.Constant((1, 3), [1, 2, 3]).TopK(4));
        Assert.Throws<ArgumentException>(() => tape.Constant((1, 4), [1, 2, 3, 4]).TopK(3, groups: 2));
        Assert.Throws<ArgumentException>(() => tape.Constant((1, 3), [1, 2, 3]).TopK(1, groups: 2));
    }

    [Theory]
    [InlineData(1, 8, 2, false)]
    [InlineData(1301, 64, 8, false)] // several pieces
    [InlineData(1301, 5, 1, true)]
    public void Route_IsTopKAndSoftmaxAndAssignInOne(int T, int E, int K, bool overAll)
    {
        using CpuBackend backend = new(threads: 3);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable((T, E), tape.Normal((T, E), new RandomKey(6, RandomPurpose.Other, 0)).ToArray());
        Tensor same = tape.Variable((T, E), x.ToArray());
        Tensor weights = x.Route(K, overAll, out RoutingPlan plan);

        Ints choices = same.TopK(K);
        Tensor gates = overAll ? same.Softmax().SelectColumns(choices, K) : same.SelectColumns(choices, K).Softmax();
        Assignment expected = Assignment.FromChoices(choices, gates, E);
        (Ints, Ints)[] pairs =
        [
            (choices, plan.Choices), (expected.Offsets, plan.Offsets), (expected.Tokens, plan.Tokens),
            (expected.TokenOffsets, plan.TokenOffsets), (expected.RowsByToken, plan.RowsByToken),
        ];
        foreach (var (separate, together) in pairs)
            Assert.Equal(backend.Read(separate), backend.Read(together));
        Assert.Equal(expected.Gates.ToArray(), weights.ToArray());
    }

    private static OpCase Route(int T, int E, int K, bool overAll) => new(
        $"Route {T}x{E} to {K} over all {overAll}", [(T, E)], x => x[0].Route(K, overAll, out _),
        x =>
        {
            // the gates of each expert's rows in the order of the tokens
            List<(int Expert, double Gate)> rows = [];
            foreach (double[] row in x[0].Chunk(E))
            {
                int[] chosen = [.. Enumerable.Range(0, E).OrderByDescending(e => row[e]).Take(K)];
                double sum = (overAll ? row : chosen.Select(e => row[e])).Sum(Math.Exp);
                rows.AddRange(chosen.Select(e => (e, Math.Exp(row[e]) / sum)));
            }

            return [.. rows.OrderBy(row => row.Expert).Select(row => row.Gate)];
        });

    private static OpCase SelectColumns(int T, int E, int K, bool dropped = false)
    {
        int[] columns = [.. Enumerable.Range(0, T * K).Select(i => dropped && i % 3 == 0 ? -1 : i * 5 % E)];
        return new($"SelectColumns {T}x{E} to {K}{(dropped ? " some dropped" : "")}", [(T, E)],
            x => x[0].SelectColumns(x[0].Tape.Ints(columns), K),
            x => [.. columns.Select((column, i) => column < 0 ? 0 : x[0][i / K * E + column])]);
    }

    private static OpCase SelectTopK(int T, int E, int K, int groups = 1) => new(
        $"TopK {T}x{groups}x{E} of {K}", [(T, groups * E)], x => x[0].SelectColumns(x[0].TopK(K, groups), groups * K),
        x => [.. Enumerable.Range(0, T * groups).SelectMany(row => x[0].Skip(row * E).Take(E).OrderDescending().Take(K))]);

    private static OpCase ScatterColumns(int T, int E, int K, bool dropped = false)
    {
        int[] columns = [.. Enumerable.Range(0, T * K).Select(i => dropped && i % 3 == 1 ? -1 : i * i % E)]; // some occur twice in a row
        return new($"ScatterColumns {T}x{K} to {E}{(dropped ? " some dropped" : "")}", [(T, K)],
            x => x[0].ScatterColumns(x[0].Tape.Ints(columns), E),
            x =>
            {
                double[] y = new double[T * E];
                for (int i = 0; i < columns.Length; i++)
                {
                    if (columns[i] >= 0)
                        y[i / K * E + columns[i]] += x[0][i];
                }

                return y;
            });
    }

    /// <summary>The gates in expert order; every so many choices one is dropped, none when 0, and the last rows are unassigned.</summary>
    private static OpCase Assign(int T, int E, int K, int dropped)
    {
        int[] choices = [.. Enumerable.Range(0, T * K).Select(i => dropped > 0 && i % dropped == 1 ? -1 : i * 3 % E)];
        return new($"Assign {T}x{K} to {E}{(dropped > 0 ? " some dropped" : "")}", [(T, K)],
            x => x[0].Assign(x[0].Tape.Ints(choices), E, null, out _),
            x =>
            {
                double[] rows = [.. Enumerable.Range(0, T * K).Where(i => choices[i] >= 0).OrderBy(i => choices[i]).Select(i => x[0][i])];
                return [.. rows, .. new double[T * K - rows.Length]];
            });
    }
}
