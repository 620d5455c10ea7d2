using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Backends;

public sealed class AssignTests
{
    [Theory]
    [InlineData(0, 3, 2)]
    [InlineData(1, 1, 1)]
    [InlineData(7, 5, 3)]
    [InlineData(10_001, 8, 2)] // several pieces
    public void Assign_RandomChoices_SortsStablyWithInverse(int T, int E, int K)
    {
        Philox random = new(new RandomKey(11, RandomPurpose.Other, Step: T));
        int[] experts = [.. Enumerable.Range(0, T * K).Select(i => random.Below(E, i))];
        Plan plan = Assign(experts, T, E, K);

        int[] sorted = [.. Enumerable.Range(0, T * K).OrderBy(choice => experts[choice])]; // OrderBy is stable
        Assert.Equal(Enumerable.Range(0, E + 1).Select(e => experts.Count(expert => expert < e)), plan.Offsets);
        Assert.Equal(sorted, plan.Choices);
        Assert.Equal(sorted.Select(choice => choice / K), plan.Tokens);
        Assert.Equal(Enumerable.Range(0, T * K), plan.Choices.Select(choice => plan.RowsByToken[choice]));
        Assert.Equal(Enumerable.Range(0, T + 1).Select(t => t * K), plan.TokenOffsets);
    }

    [Fact]
    public void Assign_ExpertsWithoutChoices_OwnEmptyRanges() =>
        Assert.Equal([0, 0, 4, 4], Assign([1, 1, 1, 1], T: 2, E: 3, K: 2).Offsets);

    [Fact]
    public void Assign_ExpertOutOfRange_Throws() =>
        Assert.ThrowsAny<Exception>(() => Assign([0, 3], T: 2, E: 3, K: 1));

    [Fact]
    public void Assign_DroppedChoices_AreInNoRow_AndTheRowsLeftOverAreUnassigned()
    {
        Plan plan = Assign([1, -1, -1, -1, 0, 1], T: 3, E: 2, K: 2);
        Assert.Equal([0, 1, 3], plan.Offsets);
        Assert.Equal([2, 0, 2, -1, -1, -1], plan.Tokens);
        Assert.Equal([4, 0, 5, -1, -1, -1], plan.Choices);
        Assert.Equal([0, 1, 1, 3], plan.TokenOffsets);           // token 1 has no row
        Assert.Equal([1, 0, 2], plan.RowsByToken[..3]);
    }

    [Theory]
    [InlineData(7, 5, 3, 20)]
    [InlineData(10_001, 8, 2, 15_500)] // several pieces
    [InlineData(5, 3, 2, 0)]           // nothing is kept
    public void Assign_FewerRowsThanChoices_SortsWhatIsKept(int T, int E, int K, int N)
    {
        Philox random = new(new RandomKey(12, RandomPurpose.Other, Step: T));
        int[] experts = [.. Enumerable.Range(0, T * K).Select(i => N == 0 || random.Below(4, i) == 0 ? -1 : random.Below(E, i))];
        int[] sorted = [.. Enumerable.Range(0, T * K).Where(choice => experts[choice] >= 0).OrderBy(choice => experts[choice])];
        Assert.True(sorted.Length <= N);
        Plan plan = Assign(experts, T, E, K, N);
        int[] unassigned = [.. Enumerable.Repeat(-1, N - sorted.Length)];
        Assert.Equal(Enumerable.Range(0, E + 1).Select(e => experts.Count(expert => expert >= 0 && expert < e)), plan.Offsets);
        Assert.Equal([.. sorted, .. unassigned], plan.Choices);
        Assert.Equal([.. sorted.Select(choice => choice / K), .. unassigned], plan.Tokens);
        int[] tokenOffsets = new int[T + 1];
        for (int i = 0; i < T * K; i++)
            tokenOffsets[i / K + 1] += experts[i] >= 0 ? 1 : 0;
        for (int t = 0; t < T; t++)
            tokenOffsets[t + 1] += tokenOffsets[t];
        Assert.Equal(tokenOffsets, plan.TokenOffsets);
        Assert.Equal(Enumerable.Range(0, sorted.Length).OrderBy(row => sorted[row]), plan.RowsByToken[..sorted.Length]);
    }

    private static Plan Assign(int[] experts, int T, int E, int K, int? rows = null)
    {
        using CpuBackend backend = new(threads: 3);
        using Tape tape = backend.NewTape();
        int N = rows ?? T * K;
        View<int> offsets = tape.Ints(E + 1), tokens = tape.Ints(N), choices = tape.Ints(N), rowsByToken = tape.Ints(N),
            tokenOffsets = tape.Ints(T + 1);
        backend.Assign(tape.Ints(experts), T, E, K, N, offsets, tokens, choices, rowsByToken, tokenOffsets);
        return new Plan(
            backend.Read(offsets), backend.Read(tokens), backend.Read(choices), backend.Read(rowsByToken), backend.Read(tokenOffsets));
    }

    private sealed record Plan(int[] Offsets, int[] Tokens, int[] Choices, int[] RowsByToken, int[] TokenOffsets);
}
