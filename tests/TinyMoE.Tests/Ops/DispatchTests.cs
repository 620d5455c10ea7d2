using TinyMoE.Ops;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Ops;

public sealed class DispatchTests : OpTests<DispatchTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        Dispatch(5, 37, 8), Dispatch(1, 1, 0), Dispatch(5, 17, 1100),
        Dispatch(5, 37, 8, unassigned: 3), Dispatch(101, 3, 250, unassigned: 49), Dispatch(2, 5, 4, unassigned: 4),
        Combine(5, 19, 8), Combine(3, 1, 0), Combine(600, 31, 4),
        Combine(5, 19, 8, unassigned: 3), Combine(101, 3, 250, unassigned: 49), Combine(2, 5, 4, unassigned: 4),
    ];

    private static OpCase Dispatch(int N, int C, int rows, int unassigned = 0)
    {
        Plan plan = new(N, rows, unassigned);
        return new($"Dispatch {N}x{C} to {rows}{plan.Named}", [(N, C)],
            x => x[0].Dispatch(x[0].Tape.Ints(plan.Tokens), x[0].Tape.Ints(plan.TokenOffsets), x[0].Tape.Ints(plan.RowsByToken)),
            x => [.. plan.Tokens.SelectMany(n => n < 0 ? new double[C] : x[0].Skip(n * C).Take(C))]);
    }

    private static OpCase Combine(int N, int C, int rows, int unassigned = 0)
    {
        Plan plan = new(N, rows, unassigned);
        return new($"Combine {rows}x{C} to {N}{plan.Named}", [(rows, C), rows],
            x => x[0].Combine(x[1], x[0].Tape.Ints(plan.Tokens), x[0].Tape.Ints(plan.TokenOffsets), x[0].Tape.Ints(plan.RowsByToken)),
            x =>
            {
                double[] y = new double[N * C];
                for (int i = 0; i < (rows - unassigned) * C; i++)
                    y[plan.Tokens[i / C] * C + i % C] += x[1][i / C] * x[0][i];
                return y;
            });
    }

    /// <summary>Rows that carry tokens drawn at random: some tokens have several rows, some have none; the last are unassigned.</summary>
    internal sealed class Plan
    {
        public Plan(int N, int rows, int unassigned)
        {
            Philox random = new(new RandomKey(3, RandomPurpose.Other, Step: N));
            int kept = rows - unassigned;
            Tokens = [.. Enumerable.Range(0, rows).Select(i => i < kept ? random.Below(N, i) : -1)];
            RowsByToken = [.. Enumerable.Range(0, kept).OrderBy(r => Tokens[r]), .. Enumerable.Repeat(-1, unassigned)];
            TokenOffsets = [.. Enumerable.Range(0, N + 1).Select(n => Tokens.Take(kept).Count(token => token < n))];
            Named = unassigned == 0 ? "" : $" {unassigned} unassigned";
        }

        public string Named { get; }

        public int[] Tokens { get; }

        public int[] RowsByToken { get; }

        public int[] TokenOffsets { get; }
    }
}
