using TinyMoE.App;
using TinyMoE.Configuration;
using TinyMoE.Optim;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Train;
using TinyMoE.Train;

namespace TinyMoE.Tests.App;

/// <summary>A run that goes on to another last step: what is said of the learning rate, and how it can be kept.</summary>
public sealed class ResumeScheduleTests : IDisposable
{
    private static readonly string Text = string.Concat(Enumerable.Range(0, 200).Select(i => $"the cat sat on mat {i % 10}.\n"));

    private readonly TemporaryFolder folder = new();
    private readonly ConfigChoice small;

    public ResumeScheduleTests() => small = new ConfigChoice
    {
        Changes =
        [
            Change("model.width", "16"), Change("model.layers", "1"), Change("attention.heads", "2"), Change("attention.kv_heads", "1"),
            Change("model.context", "16"), Change("moe.experts", "4"), Change("moe.hidden", "16"), Change("train.batch", "2"),
            Change("train.eval_every", "100"), Change("train.eval_windows", "2"), Change("train.warmup", "2"),
        ],
        Sources = [folder.Write("text.txt", Text)],
        Steps = 6,
    };

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Resume_ToALaterStep_SaysHowTheRateMoves_BeforeTheFirstStep()
    {
        TrainConfig before = Train("run", small).Config.Train;
        RatesRecorder recorder = Resume("run", new ConfigChoice { Steps = 12 });
        float was = Schedule.LearningRate(before, 7), becomes = Schedule.LearningRate(before with { Steps = 12 }, 7);
        NoteReport note = Assert.Single(recorder.Notes);
        Assert.Equal(6, note.Step);
        foreach (string words in (string[])["12 steps now, not 6", "step 7", $"{becomes:G3} and not {was:G3}", "--keep-schedule"])
            Assert.Contains(words, note.Text, StringComparison.Ordinal);
        Assert.Equal(becomes, recorder.Rates[0]);
        Assert.Contains(MetricsJson.Line(note), File.ReadLines(folder["run/metrics.jsonl"]));
    }

    [Fact]
    public void Resume_KeepingTheSchedule_GoesOnAtItsLastRate_AndRemembersIt()
    {
        TrainConfig before = Train("run", small).Config.Train;
        float last = Schedule.LearningRate(before, 6);
        RatesRecorder recorder = Resume("run", new ConfigChoice { Steps = 12, KeepSchedule = true });
        Assert.Empty(recorder.Notes);
        Assert.Equal(Enumerable.Repeat(last, 6), recorder.Rates);
        Assert.Equal((12, 6), StepsOf("run"));

        recorder = Resume("run", new ConfigChoice { Steps = 14 });
        Assert.Empty(recorder.Notes);
        Assert.Equal([last, last], recorder.Rates);
        Assert.Equal((14, 6), StepsOf("run"));
    }

    [Fact]
    public void Resume_KeepingTheSchedule_IsTheRunThatHadItFromTheStart()
    {
        Train("whole", small with
        {
            Steps = 12,
            Changes = [.. small.Changes, Change("train.schedule_steps", "6")],
        });
        Train("parts", small);
        Resume("parts", new ConfigChoice { Steps = 12, KeepSchedule = true });
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors", "config.json"])
            Assert.Equal(File.ReadAllBytes(folder[$"whole/last/{file}"]), File.ReadAllBytes(folder[$"parts/last/{file}"]));
    }

    [Fact]
    public void Resume_AsItWas_SaysNothing_WithAndWithoutKeepingTheSchedule()
    {
        Train("run", small, stopAt: 3);
        Assert.Empty(Resume("run", new ConfigChoice(), stopAt: 4).Notes);
        Assert.Empty(Resume("run", new ConfigChoice { KeepSchedule = true }).Notes);
        Assert.Equal((6, 0), StepsOf("run"));
    }

    [Theory]
    [InlineData(6)]
    [InlineData(4)]
    public void Resume_WithNothingLeftToTrain_SaysSo(int steps)
    {
        Train("run", small);
        RatesRecorder recorder = Resume("run", new ConfigChoice { Steps = steps });
        Assert.Empty(recorder.Rates);
        string note = Assert.Single(recorder.Notes).Text;
        Assert.Contains($"6 steps are done already and train.steps is {steps}", note, StringComparison.Ordinal);
    }

    [Fact]
    public void KeepSchedule_WithAnotherScheduleByKey_IsRefused()
    {
        Train("run", small);
        ConfigChoice both = new() { KeepSchedule = true, Changes = [Change("train.schedule_steps", "9")] };
        string message = Assert.Throws<RequestException>(() => Training.Prepare(both, folder["run"], resume: true)).Message;
        Assert.Contains("train.schedule_steps=9", message, StringComparison.Ordinal);
    }

    private static KeyValuePair<string, string> Change(string key, string value) => KeyValuePair.Create(key, value);

    private (int Steps, int ScheduleSteps) StepsOf(string run) =>
        Checkpoints.Config(folder[$"{run}/last"]).Train is { } train ? (train.Steps, train.ScheduleSteps) : default;

    private TrainingRequest Train(string run, ConfigChoice choice, int? stopAt = null)
    {
        TrainingRequest request = Training.Prepare(choice, folder[run]) with { StopAt = stopAt, Device = new DeviceChoice(Threads: 1) };
        Training.Run(request, new RatesRecorder());
        return request;
    }

    private RatesRecorder Resume(string run, ConfigChoice choice, int? stopAt = null)
    {
        RatesRecorder recorder = new();
        TrainingRequest request = Training.Prepare(choice, folder[run], resume: true);
        Training.Run(request with { StopAt = stopAt, Device = new DeviceChoice(Threads: 1) }, recorder);
        return recorder;
    }
}
