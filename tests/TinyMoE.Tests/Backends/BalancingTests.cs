using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Backends;

/// <summary>Assignments that are balanced by construction: what they promise, and how near they come to the best there is.</summary>
public sealed class BalancingTests
{
    private const float Absent = -2e35f;

    [Theory]
    [InlineData(1, 3)]
    [InlineData(3, 3)]
    [InlineData(4, 2)]
    [InlineData(5, 2)] // a seat stays free
    [InlineData(7, 3)]
    [InlineData(8, 4)]
    [InlineData(2, 5)] // more experts than tokens
    public void AssignBalanced_Small_IsNearTheBestOfAllAssignments(int T, int E)
    {
        for (int trial = 0; trial < 20; trial++)
        {
            float[] scores = Normal(T * E, trial);
            int[] choices = Assign(scores, E);
            AssertBalanced(choices, E, T);
            double best = Best(scores, E, 0, [.. Enumerable.Repeat(Ceiling.Divide(T, E), E)]),
                found = choices.Select((e, t) => (double)scores[t * E + e]).Sum();
            float step = Math.Max(1e-4f, (scores.Max() - scores.Min()) / 50);
            Assert.InRange(found, best - T * step, best + 1e-5); // an auction is within one bid step per token
        }
    }

    [Theory]
    [InlineData(1001, 7)]
    [InlineData(512, 64)]
    [InlineData(2047, 3)]
    public void AssignBalanced_Large_LoadsAreEqual_AndTheSumBeatsDealing(int T, int E)
    {
        float[] scores = Normal(T * E, 1);
        int[] choices = Assign(scores, E);
        AssertBalanced(choices, E, T);
        double found = choices.Select((e, t) => (double)scores[t * E + e]).Sum();
        double bound = scores.Chunk(E).Sum(row => (double)row.Max()); // what no balance at all would give
        Assert.InRange(found, 0.9 * bound, bound);
    }

    [Fact]
    public void AssignBalanced_EveryoneWantsTheSame_StillSeatsAll()
    {
        float[] same = [.. Enumerable.Range(0, 101 * 4).Select(i => i % 4 == 2 ? 5f : 0f)];
        AssertBalanced(Assign(same, 4), 4, 101);
        AssertBalanced(Assign(new float[101 * 4], 4), 4, 101);   // no opinion
    }

    [Fact]
    public void AssignBalanced_RowsThatAreNotThere_GetNothingAndTakeNoRoom()
    {
        float[] scores = Normal(9 * 2, 3), present = [.. scores];
        foreach (int t in (int[])[0, 4, 8])
            scores.AsSpan(t * 2, 2).Fill(Absent);
        int[] choices = Assign(scores, 2);
        Assert.Equal([-1, -1, -1], new[] { choices[0], choices[4], choices[8] });
        int[] rest = [.. choices.Where(c => c >= 0)];
        AssertBalanced(rest, 2, 6);
        Assert.Equal(rest, Assign([.. Enumerable.Range(0, 9).Where(t => t % 4 != 0).SelectMany(t => present[(t * 2)..(t * 2 + 2)])], 2));
        Assert.All(Assign([.. Enumerable.Repeat(Absent, 6)], 2), c => Assert.Equal(-1, c));
    }

    [Fact]
    public void AssignBalanced_MaskedExperts_DoNotMakeTheBidsCoarse()
    {
        // A masked logit of −10⁹ is no score: the others are still told apart.
        float[] scores = Normal(12 * 3, 5), masked = [.. scores];
        for (int t = 0; t < 12; t += 5)
            masked[t * 3 + t % 3] -= 1e9f;
        int[] choices = Assign(masked, 3);
        AssertBalanced(choices, 3, 12);
        double best = Best(masked, 3, 0, [4, 4, 4]), found = choices.Select((e, t) => (double)masked[t * 3 + e]).Sum();
        Assert.InRange(found, best - 12 * Math.Max(1e-4f, (scores.Max() - scores.Min()) / 50), best + 1e-3);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(5, 3)]
    [InlineData(37, 8)]
    [InlineData(1001, 7)] // several pieces
    public void Sinkhorn_RowsAndColumnsSumToTheirShare_AsInDouble(int T, int E)
    {
        float[] logits = Normal(T * E, 7);
        float[] plan = OnBothThreads((tape, x) => x.Sinkhorn().ToArray(), logits, E);
        double[][] expected = Naive(logits, E);
        for (int t = 0; t < T; t++)
        {
            Assert.Equal(1.0 / T, plan.Skip(t * E).Take(E).Sum(), 2e-3 / T);
            for (int e = 0; e < E; e++)
                Assert.Equal(expected[t][e], plan[t * E + e], 2e-3 / T);
        }

        for (int e = 0; e < E; e++)
            Assert.Equal(1.0 / E, plan.Where((_, i) => i % E == e).Sum(), 2e-4);
    }

    [Fact]
    public void Sinkhorn_RowsThatAreNotThere_AreZeroAndChangeNothing()
    {
        float[] logits = Normal(6 * 3, 9);
        float[] alone = OnBothThreads((tape, x) => x.Sinkhorn().ToArray(), logits, 3);
        float[] padded = OnBothThreads((tape, x) => x.Sinkhorn().ToArray(), [.. logits, .. Enumerable.Repeat(Absent, 6)], 3);
        Assert.Equal(alone, padded[..18]);
        Assert.All(padded[18..], v => Assert.Equal(0f, v));
    }

    [Fact]
    public void Sinkhorn_LargeLogits_StayFinite() =>
        Assert.All(OnBothThreads((tape, x) => x.Sinkhorn().ToArray(), [1000, 0, -1000, 500, 500, -500], 3), v => Assert.InRange(v, 0f, 1f));

    [Fact]
    public void StepBias_FollowsTheSignOfTheLoadError()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor counts = tape.Constant(4, [0, 2, 2, 4]), bias = tape.Constant(4, [-0.3f, 0, 0, 0.2f]);
        backend.StepBias(counts.Data, 4, 1e-3f, bias.Data);
        float[] stepped = bias.ToArray(), expected = [-0.299f, 0, 0, 0.199f];
        for (int e = 0; e < 4; e++)
            Assert.Equal(expected[e], stepped[e], 1e-6f);
        Tensor third = tape.Constant(3, [1, 1, 2]), zero = tape.Constant(3, [0, 0, 0]);
        backend.StepBias(third.Data, 3, 0.5f, zero.Data);        // the mean is no whole number
        Assert.Equal([0.5f, 0.5f, -0.5f], zero.ToArray());
    }

    private static float[] Normal(int count, int stream)
    {
        Philox random = new(new RandomKey(31, RandomPurpose.Other, stream));
        return [.. Enumerable.Range(0, count).Select(i => random.Normal(i))];
    }

    private static int[] Assign(float[] scores, int E) => OnBothThreads((tape, x) => tape.Backend.Read(x.AssignBalanced()), scores, E);

    private static T[] OnBothThreads<T>(Func<Tape, Tensor, T[]> run, float[] values, int E)
    {
        T[] On(int threads)
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            return run(tape, tape.Constant((values.Length / E, E), values));
        }

        T[] result = On(1);
        Assert.Equal(result, On(3));
        return result;
    }

    private static void AssertBalanced(int[] choices, int E, int T)
    {
        Assert.Equal(T, choices.Length);
        Assert.All(choices, e => Assert.InRange(e, 0, E - 1));
        Assert.All(choices.GroupBy(e => e), expert => Assert.InRange(expert.Count(), 1, Ceiling.Divide(T, E)));
    }

    /// <summary>The largest sum of scores of the tokens from <paramref name="t"/> on, every expert with so many free seats.</summary>
    private static double Best(float[] scores, int E, int t, int[] free)
    {
        if (t == scores.Length / E)
            return 0;
        double best = double.NegativeInfinity;
        for (int e = 0; e < E; e++)
        {
            if (free[e] == 0)
                continue;
            free[e]--;
            best = Math.Max(best, scores[t * E + e] + Best(scores, E, t + 1, free));
            free[e]++;
        }

        return best;
    }

    private static double[][] Naive(float[] logits, int E)
    {
        double[][] plan = [.. logits.Chunk(E).Select(row => row.Select(v => Math.Exp(v)).ToArray())];
        int T = plan.Length;
        for (int round = 0; round < 200; round++)
        {
            plan = [.. plan.Select(row => (Row: row, Sum: row.Sum())).Select(r => r.Row.Select(v => v / r.Sum / T).ToArray())];
            double[] sums = [.. Enumerable.Range(0, E).Select(e => plan.Sum(row => row[e]))];
            plan = [.. plan.Select(row => row.Select((v, e) => v / sums[e] / E).ToArray())];
        }

        return plan;
    }
}
