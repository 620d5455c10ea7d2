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

    [Theory]
    [InlineData("attention.rope_factor=4", "attention.rope_factor has no effect with attention.rope_scaling=none")]
    [InlineData(
        "attention.rope_scaling=linear attention.rope_beta_fast=8 attention.rope_mscale=1",
        "attention.rope_beta_fast, attention.rope_mscale have no effect with attention.rope_scaling=linear")]
    [InlineData(
        "attention.rope_scaling=yarn model.positions=learned",
        "attention.rope_scaling=yarn has no effect with model.positions=learned")]
    [InlineData(
        "attention.rope_scaling=dynamic attention.rope_factor=2",
        "attention.rope_scaling=dynamic has no effect up to the original")]
    [InlineData(
        "attention.rope_size=4 attention.rope_interleaved=true model.positions=learned",
        "attention.rope_size, attention.rope_interleaved have no effect with model.positions=learned")]
    public void OfModel_AKeyOfRotaryPositionsThatNothingAsksFor_SaysSo(string sets, string said)
    {
        RunConfig config = sets.Split(' ').Aggregate(
            Presets.Get(Presets.Default), (config, set) => config.With(set.Split('=')[0], set.Split('=')[1]));
        Assert.Contains(said, Assert.Single(ConfigNotes.OfModel(config)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("attention.rope_scaling=dynamic attention.rope_factor=2 attention.rope_original_context=64")]
    [InlineData("attention.rope_scaling=llama3 attention.rope_factor=8 attention.rope_low_frequency=2")]
    [InlineData("attention.rope_scaling=yarn attention.rope_factor=8 attention.rope_truncate=false attention.rope_mscale=1")]
    public void OfModel_KeysOfRotaryPositionsThatWorkTogether_SaysNothing(string sets)
    {
        RunConfig config = sets.Split(' ').Aggregate(
            Presets.Get(Presets.Default), (config, set) => config.With(set.Split('=')[0], set.Split('=')[1]));
        Assert.Empty(ConfigNotes.OfModel(config));
    }

    [Theory]
    [InlineData("data.tokenizer_vocabulary=300", "data.tokenizer_vocabulary has no effect with data.tokenizer=char")]
    [InlineData(
        "data.tokenizer_vocabulary=300 data.tokenizer_style=llama3 data.tokenizer=byte",
        "data.tokenizer_vocabulary, data.tokenizer_style have no effect with data.tokenizer=byte")]
    [InlineData(
        "data.tokenizer=bpe data.tokenizer_style=qwen2 data.tokenizer_file=x.json",
        "data.tokenizer_style has no effect with data.tokenizer_file, whose tokenizer stays as it is")]
    [InlineData("data.tokenizer=bpe data.tokenizer_style=qwen2 data.tokenizer_vocabulary=300", "")]
    public void Of_KeysOfATokenizerThatIsNotTrained_SaysSo(string sets, string said)
    {
        RunConfig config = sets.Split(' ').Aggregate(Config, (config, set) => config.With(set.Split('=')[0], set.Split('=')[1]));
        Assert.Equal(said, string.Join("; ", ConfigNotes.Of(config)));
    }
}
