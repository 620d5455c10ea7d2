using TinyMoE.Configuration;
using TinyMoE.Optim;

namespace TinyMoE.Tests.Optim;

public sealed class ScheduleTests
{
    private static readonly TrainConfig Short = new() { Steps = 40, Warmup = 10, LearningRate = 1f, MinLearningRate = 0.1f };

    [Theory]
    [InlineData(ScheduleKind.Constant)]
    [InlineData(ScheduleKind.Cosine)]
    [InlineData(ScheduleKind.Wsd)]
    public void LearningRate_WithScheduleSteps_IsTheShortSchedules_AndStaysAtItsEnd(ScheduleKind kind)
    {
        TrainConfig before = Short with { Schedule = kind }, longer = before with { Steps = 100, ScheduleSteps = 40 };
        for (int step = 1; step <= 40; step++)
            Assert.Equal(Schedule.LearningRate(before, step), Schedule.LearningRate(longer, step));
        for (int step = 41; step <= 100; step++)
            Assert.Equal(Schedule.LearningRate(before, 40), Schedule.LearningRate(longer, step));
    }

    [Fact]
    public void LearningRate_OfAScheduleLongerThanTheRun_IsCutOff()
    {
        TrainConfig cut = Short with { Steps = 20, ScheduleSteps = 40 };
        Assert.Equal(Schedule.LearningRate(Short, 20), Schedule.LearningRate(cut, 20));
        Assert.True(Schedule.LearningRate(cut, 20) > 0.5f);
    }

    [Fact]
    public void LearningRate_OfAScheduleThatEndsInItsWarmup_StaysThere()
    {
        TrainConfig cold = Short with { Steps = 100, ScheduleSteps = 5 };
        Assert.Equal(0.5f, Schedule.LearningRate(cold, 5));
        Assert.Equal(0.5f, Schedule.LearningRate(cold, 90));
    }
}
