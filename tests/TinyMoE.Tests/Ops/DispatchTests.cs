using TinyMoE.Ops;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Ops;

public sealed class DispatchTests : OpTests<DispatchTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        Dispatch(5, 37, 8), Dispatch(1, 1, 0), Dispatch(5, 17, 1100),
        Combine(5, 19, 8), Combine(3, 1, 0), Combine(600, 31, 4),
    ];

    private static OpCase Dispatch(int T, int C, int N)
    {
        Plan plan = new(T, N);
        return new($"Dispatch {T}x{C} to {N}", [(T, C)],
            x => x[0].Dispatch(x[0].Tape.Ints(plan.Tokens), x[0].Tape.Ints(plan.TokenOffsets), x[0].Tape.Ints(plan.RowsByToken)),
            x => [.. plan.Tokens.SelectMany(t => x[0].Skip(t * C).Take(C))]);
    }

    private static OpCase Combine(int T, int C, int N)
    {
        Plan plan = new(T, N);
        return new($"Combine {N}x{C} to {T}", [(N, C), N],
            x => x[0].Combine(x[1], x[0].Tape.Ints(plan.Tokens), x[0].Tape.Ints(plan.TokenOffsets), x[0].Tape.Ints(plan.RowsByToken)),
            x =>
            {
                double[] y = new double[T * C];
                for (int i = 0; i < N * C; i++)
                    y[plan.Tokens[i / C] * C + i % C] += x[1][i / C] * x[0][i];
                return y;
            });
    }

    /// <summary>N rows that carry tokens drawn at random: some tokens have several rows, some have none.</summary>
    private sealed class Plan
    {
        public Plan(int T, int N)
        {
            Philox random = new(new RandomKey(3, RandomPurpose.Other, Step: T));
            Tokens = [.. Enumerable.Range(0, N).Select(i => random.Below(T, i))];
            RowsByToken = [.. Enumerable.Range(0, N).OrderBy(n => Tokens[n])];
            TokenOffsets = [.. Enumerable.Range(0, T + 1).Select(t => Tokens.Count(token => token < t))];
        }

        public int[] Tokens { get; }

        public int[] RowsByToken { get; }

        public int[] TokenOffsets { get; }
    }
}
