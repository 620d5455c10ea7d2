using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Moe.Routers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Moe;

/// <summary>Choices limited to the best groups of experts.</summary>
public sealed class ExpertGroupsTests : IDisposable
{
    private readonly CpuBackend backend = new(1);
    private readonly Tape tape;

    public ExpertGroupsTests() => tape = backend.NewTape(recording: false);

    public void Dispose()
    {
        tape.Dispose();
        backend.Dispose();
    }

    [Theory]
    [InlineData(1, new[] { 2, 3 })]                              // the group of the largest
    [InlineData(2, new[] { 0, 1 })]                              // of the largest sum of two
    public void Open_GroupScore_IsOfAsManyAsAreCounted(int counted, int[] expected)
    {
        Tensor scores = tape.Constant((1, 6), [0.5f, 0.4f, 0.6f, 0.1f, 0.2f, 0.3f]);
        Assert.Equal(expected, Choices(ExpertGroups.Open(scores, Groups(6, 3, 1), counted), 2));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Open_AllScoresBelowZero_NeverChoosesFromAClosedGroup(int counted)
    {
        Tensor scores = tape.Constant((1, 6), [-1e6f, -3f, -3f, -1f, -5f, -4f]);
        Assert.Equal([3, 5], Choices(ExpertGroups.Open(scores, Groups(6, 2, 1), counted), 2));
    }

    [Fact]
    public void DeepSeek_ScoresAndCorrectionBelowZero_StayInTheOpenGroup()
    {
        Tensor scores = tape.Constant((1, 4), [0.9f, 0.1f, 0.8f, 0.7f]), correction = tape.Constant(4, [-10f, -10f, -10f, -10f]);
        Assert.Equal([2, 3], backend.Read(DeepSeekRouter.Choose(scores, correction, Groups(4, 2, 1))));
    }

    [Fact]
    public void Open_EqualGroups_TakesTheLower_AndGroupsOfOneAreExperts()
    {
        Tensor scores = tape.Constant((2, 4), [1f, 1f, 1f, 1f, 0f, 3f, 1f, 2f]);
        Assert.Equal([0, 1, 1, 3], Choices(ExpertGroups.Open(scores, Groups(4, 4, 2), counted: 2), 2));
    }

    [Fact]
    public void Open_AllGroups_IsTheScoresThemselves()
    {
        Tensor scores = tape.Constant((1, 4), [1f, 2f, 3f, 4f]);
        Assert.Same(scores, ExpertGroups.Open(scores, Groups(4, 2, 2), counted: 1));
    }

    private static MoeConfig Groups(int experts, int groups, int active) =>
        new() { Experts = experts, Groups = groups, ActiveGroups = active, Active = 2 };

    private int[] Choices(Tensor scores, int K) => backend.Read(scores.TopK(K));
}
