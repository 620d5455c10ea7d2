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

    private static Plan Assign(int[] experts, int T, int E, int K)
    {
        using CpuBackend backend = new(threads: 3);
        using Tape tape = backend.NewTape();
        View<int> offsets = tape.Ints(E + 1), tokens = tape.Ints(T * K), choices = tape.Ints(T * K), rowsByToken = tape.Ints(T * K), tokenOffsets = tape.Ints(T + 1);
        backend.Assign(tape.Ints(experts), T, E, K, T * K, offsets, tokens, choices, rowsByToken, tokenOffsets);
        return new Plan(backend.Read(offsets), backend.Read(tokens), backend.Read(choices), backend.Read(rowsByToken), backend.Read(tokenOffsets));
    }

    private sealed record Plan(int[] Offsets, int[] Tokens, int[] Choices, int[] RowsByToken, int[] TokenOffsets);
}
