using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Backends;

/// <summary>The kernels that make and unmake choices, by hand and against naive ones; each also on one thread and on three.</summary>
public sealed class ChoicesTests : IDisposable
{
    private readonly CpuBackend backend = new(threads: 3);
    private readonly CpuBackend single = new(threads: 1);
    private readonly Tape tape;

    public ChoicesTests() => tape = backend.NewTape();

    [Fact]
    public void CountChoices_ByHand_CountsTheFirstOnesAndSkipsTheDropped()
    {
        int[] choices = [0, 1, 1, 0, 1, -1, -1, 2];              // two groups of two tokens of two choices
        Assert.Equal([2f, 2, 0, 0, 1, 1], tape.CountChoices(tape.Ints(choices), 2, 3, counted: 2, 1f, groups: 2).ToArray());
        Assert.Equal([0.5f, 0.5f, 0, 0, 0.5f, 0], tape.CountChoices(tape.Ints(choices), 2, 3, counted: 1, 0.5f, groups: 2).ToArray());
    }

    [Theory]
    [InlineData(1, 1, 1, 1)]
    [InlineData(3, 601, 7, 3)]
    [InlineData(1, 9001, 67, 2)]
    public void CountChoices_AgreesWithNaiveCount_AndAdds(int groups, int T, int E, int K)
    {
        int[] choices = Choices(groups * T, E, K);
        float[] expected =
            [.. choices.Chunk(T * K).SelectMany(group => Enumerable.Range(0, E).Select(e => (float)group.Count(c => c == e)))];
        Tensor counts = tape.CountChoices(tape.Ints(choices), K, E, counted: K, 1f, groups);
        Assert.Equal(expected, counts.ToArray());
        backend.CountChoices(tape.Ints(choices), groups, T, K, K, E, 2f, new Target(counts.Data, Adds: true));
        Assert.Equal(expected.Select(c => 3 * c), counts.ToArray());
    }

    [Fact]
    public void KeepChoices_KeepsWhatIsAboveZero()
    {
        Tensor keep = tape.Constant((2, 3), [1e-30f, 0, -1, 2, -0f, float.NaN]);
        Assert.Equal([4, -1, -1, 1, -1, -1], backend.Read(keep.KeepChoices(tape.Ints([4, 3, 2, 1, 0, 5]))));
        Ints same = tape.Ints([4, 3, 2, 1, 0, 5]);
        backend.KeepChoices(same, keep.Data, 6, same);           // in place
        Assert.Equal([4, -1, -1, 1, -1, -1], backend.Read(same));
        const int Many = 70_001;
        Tensor signs = tape.Constant(Many, [.. Enumerable.Range(0, Many).Select(i => i % 3 - 1f)]);
        Assert.Equal(Enumerable.Range(0, Many).Select(i => i % 3 == 2 ? i : -1),
            backend.Read(signs.KeepChoices(tape.Ints([.. Enumerable.Range(0, Many)]))));
    }

    [Fact]
    public void LimitCapacity_ByPosition_ServesFirstChoicesBeforeSecond()
    {
        int[] choices = [1, 0, 0, 1, 0, 1, 1, 0];                // tokens 1 and 2 want expert 0 first, tokens 0 and 3 second
        Assert.Equal([1, -1, 0, -1, 0, -1, 1, -1], Limit(choices, null, E: 2, K: 2, capacity: 2));
        Assert.Equal([1, 0, 0, 1, 0, -1, 1, -1], Limit(choices, null, E: 2, K: 2, capacity: 3));
        Assert.Equal([1, -1, 0, -1, -1, -1, -1, -1], Limit(choices, null, E: 2, K: 2, capacity: 1));
        Assert.Equal([-1, 0, 1, -1], Limit([-1, 0, 1, 0], null, E: 2, K: 2, capacity: 1)); // what was dropped before takes no room
    }

    [Fact]
    public void LimitCapacity_ByPriority_ServesTheLargestFirst_AndTheEarlierAmongEquals()
    {
        int[] choices = [0, 1, 0, 1, 0, 1];
        Assert.Equal([-1, 1, 0, -1, 0, 1], Limit(choices, [0.1f, 0.4f, 0.9f, 0.3f, 0.5f, 0.6f], E: 2, K: 2, capacity: 2));
        Assert.Equal([0, 1, 0, 1, -1, -1], Limit(choices, [0.5f, 0.5f, 0.5f, 0.5f, 0.5f, 0.5f], E: 2, K: 2, capacity: 2));
        Assert.Equal([0, -1, -1], Limit([0, 0, 0], [-1f, -2f, -3f], E: 1, K: 1, capacity: 1)); // negative priorities have an order too
    }

    [Theory]
    [InlineData(7, 5, 3, 2, true)]
    [InlineData(7, 5, 3, 2, false)]
    [InlineData(1001, 13, 4, 250, true)]
    [InlineData(1001, 13, 4, 250, false)]
    [InlineData(3, 67, 9, 1, true)]
    [InlineData(5, 3, 2, 100, true)] // room for all
    public void LimitCapacity_AgreesWithNaiveSort(int T, int E, int K, int capacity, bool byPriority)
    {
        int[] choices = Choices(T, E, K);
        float[]? priority = byPriority ? Numbers(T * K, steps: 9) : null; // with equals
        int[] expected = [.. Enumerable.Repeat(-1, T * K)];
        for (int e = 0; e < E; e++)
        {
            foreach (int i in Enumerable.Range(0, T * K).Where(i => choices[i] == e).OrderByDescending(i => priority?[i] ?? 0).ThenBy(
                i => i % K).ThenBy(i => i / K).Take(capacity))
                expected[i] = e;
        }

        Assert.Equal(expected, Limit(choices, priority, E, K, capacity));
    }

    [Fact]
    public void ChooseTokens_ByHand()
    {
        float[] scores = [0.9f, 0.1f, 0.8f, 0.2f, 0.7f, 0.3f, 0.6f, 0.4f]; // four tokens, two experts
        Assert.Equal([0, -1, 0, -1, -1, 1, -1, 1], Take(scores, 2, active: 1));
        Assert.Equal([0, -1, -1, 1, 0, -1, -1, 1], Take(scores, 2, active: 1, groups: 2));
        Assert.Equal([0, -1, 0, -1, -1, 1, -1, 1], Take(scores, 2, active: 1, groups: 2, interleaved: true));
        Assert.Equal([0, 1, 0, 1, 0, 1, 0, 1], Take(scores, 2, active: 2));
        Assert.Equal([0, 1, -1, -1], Take([0.5f, 0.5f, 0.5f, 0.5f], 2, active: 1)); // the earlier among equals
        Assert.Equal([0, 1, 2], Take([0.1f, 0f, -0f], 3, active: 1)); // one token: every expert takes it
    }

    [Fact]
    public void ChooseTokens_NegativeScores_AreNeverTakenAndDoNotCount()
    {
        // Of four tokens two count, so an expert takes 2·1/2 = 1 and not 4·1/2 = 2.
        Assert.Equal([-1, -1, 0, -1, -1, 1, -1, -1], Take([-1f, -1f, 0.8f, 0.2f, 0.7f, 0.3f, -2f, -2f], 2, active: 1));
        Assert.Equal([-1, -1, -1, -1], Take([-1f, -1f, -1f, -1f], 2, active: 2));
    }

    [Theory]
    [InlineData(15, 4, 3, false, 2)]
    [InlineData(15, 4, 3, true, 2)]
    [InlineData(1001, 7, 1, false, 3)]
    [InlineData(1001, 7, 77, true, 1)]
    [InlineData(12, 67, 4, false, 5)] // more experts than tokens: one each
    public void ChooseTokens_AgreesWithNaiveSort(int T, int E, int groups, bool interleaved, int active)
    {
        float[] scores = [.. Numbers(T * E, steps: 11).Select(v => v - 0.2f)];
        int[] expected = [.. Enumerable.Repeat(-1, T * E)];
        foreach (IGrouping<int, int> group in Enumerable.Range(0, T).GroupBy(t => interleaved ? t % groups : t / (T / groups)))
        {
            for (int e = 0; e < E; e++)
            {
                int[] possible = [.. group.Where(t => scores[t * E + e] >= 0)];
                foreach (int t in possible.OrderByDescending(t => scores[t * E + e]).Take(Math.Max(1, possible.Length * active / E)))
                    expected[t * E + e] = e;
            }
        }

        Assert.Equal(expected, Take(scores, E, active, groups, interleaved));
    }

    [Fact]
    public void LookUpChoices_GivesTheRowsOfTheTable()
    {
        Tensor table = tape.Constant((3, 2), [0, 1, 2, 3, 4, 5]);
        Assert.Equal([4, 5, 0, 1, 4, 5], backend.Read(tape.LookUpChoices(table, tape.Ints([2, 0, 2]))));
    }

    [Theory]
    [InlineData(1, 1, 1, 1, 1)]
    [InlineData(7, 3, 5, 2, 3)]
    [InlineData(9001, 2, 3, 1, 2)] // several pieces
    public void ChooseInGroups_AgreesWithItsFormula(int T, int G, int M, int A, int K)
    {
        int[] groups = Choices(T, G, A, dropped: false), best = Choices(T * G, M, K, dropped: false);
        int[] expected = [.. Enumerable.Range(0, T * A).SelectMany(
            i => Enumerable.Range(0, K).Select(k => groups[i] * M + best[(i / A * G + groups[i]) * K + k]))];
        Assert.Equal(expected, backend.Read(tape.ChooseInGroups(tape.Ints(groups), A, tape.Ints(best), K, G, M)));
    }

    public void Dispose()
    {
        tape.Dispose();
        backend.Dispose();
        single.Dispose();
    }

    /// <summary>K different experts per token, some dropped.</summary>
    private static int[] Choices(int T, int E, int K, bool dropped = true)
    {
        Philox random = new(new RandomKey(21, RandomPurpose.Other, Step: T));
        return [.. Enumerable.Range(0, T).SelectMany(t => Enumerable.Range(0, E).OrderBy(e => random.Word((long)t * E + e)).Take(K).Select(
            e => dropped && random.Below(5, (long)t * E + e) == 0 ? -1 : e))];
    }

    private static float[] Numbers(int count, int steps)
    {
        Philox random = new(new RandomKey(22, RandomPurpose.Other, Step: count));
        return [.. Enumerable.Range(0, count).Select(i => random.Below(steps, i) / (float)steps)];
    }

    private int[] Limit(int[] choices, float[]? priority, int E, int K, int capacity)
    {
        int[] On(CpuBackend device)
        {
            using Tape own = device.NewTape();
            return device.Read(
                own.LimitCapacity(own.Ints(choices), K, E, capacity, priority is null ? null : own.Constant(choices.Length, priority)));
        }

        int[] kept = On(backend);
        Assert.Equal(kept, On(single));
        return kept;
    }

    private int[] Take(float[] scores, int E, int active, int groups = 1, bool interleaved = false)
    {
        int[] On(CpuBackend device)
        {
            using Tape own = device.NewTape();
            return device.Read(own.Constant((scores.Length / E, E), scores).ChooseTokens(active, groups, interleaved));
        }

        int[] taken = On(backend);
        Assert.Equal(taken, On(single));
        return taken;
    }
}
