using TinyMoE.Configuration;
using TinyMoE.Optim;

namespace TinyMoE.Tests.Configuration;

public sealed class ConfigNotesTests
{
    private static readonly RunConfig Config = new() { Train = new TrainConfig { LearningRate = 2e-3f, Warmup = 100 } };

    [Theory]
    [InlineData(
        30, 0, "train.warmup=100 is longer than the 30 steps of the run", "0.0006 at most", "set train.warmup below 30", "train.steps")]
    [InlineData(99, 0, "the 99 steps of the run", "0.00198 at most")]
    [InlineData(300, 50, "the 50 steps of the schedule", "0.001 at most", "set train.warmup below 50", "train.schedule_steps")]
    [InlineData(30, 1000, "the 30 steps of the run", "0.0006 at most")]
    public void Of_AWarmupThatIsTooLong_SaysTheHighestRate_AndWhatToSet(int steps, int scheduleSteps, params string[] said)
    {
        RunConfig config = Config with { Train = Config.Train with { Steps = steps, ScheduleSteps = scheduleSteps } };
        string note = Assert.Single(ConfigNotes.Of(config));
        Assert.All(said, words => Assert.Contains(words, note, StringComparison.Ordinal));
        Assert.Contains("train.learning_rate=0.002", note, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', note);
        float highest = Enumerable.Range(1, steps).Max(step => Schedule.LearningRate(config.Train, step));
        Assert.Contains($"{highest:G3} at most", note, StringComparison.Ordinal);
        Assert.Empty(ConfigNotes.OfModel(config));
    }

    [Theory]
    [InlineData(100, 0)]
    [InlineData(1000, 0)]
    [InlineData(200, 100)]
    public void Of_AWarmupThatReachesTheRate_SaysNothing(int steps, int scheduleSteps)
    {
        RunConfig config = Config with { Train = Config.Train with { Steps = steps, ScheduleSteps = scheduleSteps } };
        Assert.Empty(ConfigNotes.Of(config));
        Assert.Equal(2e-3f, Schedule.LearningRate(config.Train, 100));
    }
}
