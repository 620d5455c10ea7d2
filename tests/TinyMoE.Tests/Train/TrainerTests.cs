using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

public sealed class TrainerTests
{
    [Theory]
    [InlineData("plain", 1, 1)]
    [InlineData("plain", 1, 2)]
    [InlineData("noisy", 1, 2)]
    [InlineData("bfloat16", 1, 3)]
    [InlineData("noisy", 2, 3)]
    [InlineData("switch-head", 1, 2)]
    [InlineData("latent", 1, 3)]
    [InlineData("plain" + TestModels.AllInBfloat16, 1, 3)]
    [InlineData("switch-head" + TestModels.AllInBfloat16, 1, 2)]
    public void Train_SameSeed_SameBytesForAnyThreads(string name, int threads, int otherThreads)
    {
        using TemporaryFolder folder = new();
        Run(TestModels.Named(name), folder["a"], threads);
        Run(TestModels.Named(name), folder["b"], otherThreads);
        AssertSameModel(folder["a"], folder["b"]);
    }

    [Theory]
    [InlineData("plain", 7)]
    [InlineData("noisy", 20)]
    [InlineData("switch-head", 12)]
    [InlineData("latent", 11)]
    [InlineData("bfloat16", 7)]
    [InlineData("gpt-oss", 12)]
    [InlineData("gpt-oss-bfloat16", 5)]
    [InlineData("deepseek-v2", 7)]
    [InlineData("undivided", 7)]
    [InlineData("qwen2-moe", 12)]
    [InlineData("granite", 7)]
    [InlineData("noisy" + TestModels.AllInBfloat16, 20)]
    [InlineData("latent" + TestModels.AllInBfloat16, 11)]
    [InlineData("gpt-oss" + TestModels.AllInBfloat16, 12)]
    public void Resume_AfterStop_EqualsRunNeverStopped(string name, int stopAt)
    {
        using TemporaryFolder folder = new();
        Run(TestModels.Named(name), folder["whole"]);
        TrainingResult stopped = Run(TestModels.Named(name), folder["parts"], stopAt: stopAt);
        Assert.Equal((stopAt, false), (stopped.Step, stopped.Finished));
        TrainingResult resumed = Run(TestModels.Named(name), folder["parts"], resume: true);
        Assert.True(resumed.Finished);

        AssertSameModel(folder["whole"], folder["parts"]);
        Assert.Equal(Metrics(folder["whole"]), Metrics(folder["parts"]));
    }

    [Fact]
    public void Cancel_FinishesTheStep_AndSavesIt()
    {
        using TemporaryFolder folder = new();
        using CancellationTokenSource stop = new();
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        RecordingListener listener = new() { Then = r => { if (r.Step == 5) stop.Cancel(); } };
        using Trainer trainer = new(backend, TestModels.Tiny.For(corpus), corpus, new RunFolder(folder["a"]), listener);
        TrainingResult result = trainer.Run(stop: stop.Token);
        Assert.Equal((5, false), (result.Step, result.Finished));
        Assert.Equal(5, Checkpoints.Step(folder["a/last"]));
    }

    [Fact]
    public void Resume_AfterStepsThatWereNotSaved_DropsTheirMetrics()
    {
        using TemporaryFolder folder = new();
        Run(TestModels.Tiny, folder["whole"]);
        Run(TestModels.Tiny, folder["parts"], stopAt: 10);
        File.AppendAllText(folder["parts/metrics.jsonl"], """{"kind":"train","step":11,"loss":9}""" + "\n" + """{"kind":"tra""");
        Run(TestModels.Tiny, folder["parts"], resume: true);
        Assert.Equal(Metrics(folder["whole"]), Metrics(folder["parts"]));
    }

    [Fact]
    public void Resume_ACheckpointFromBeforeLabels_GoesOnTheSame()
    {
        using TemporaryFolder folder = new();
        Run(TestModels.Tiny, folder["whole"]);
        Run(TestModels.Tiny, folder["parts"], stopAt: 10);
        Assert.Equal(["text"], Checkpoints.Labels(folder["parts/last"])!);

        File.Delete(folder["parts/last/labels.json"]);
        string config = folder["parts/last/config.json"];
        File.WriteAllLines(config, File.ReadAllLines(config).Where(line => !line.Contains("\"labels\"", StringComparison.Ordinal)));
        Checkpoints.Relist(folder["parts/last"]);
        Assert.Null(Checkpoints.Labels(folder["parts/last"]));
        Run(TestModels.Tiny, folder["parts"], resume: true);

        Assert.Equal(Metrics(folder["whole"]), Metrics(folder["parts"]));
    }

    [Fact]
    public void Resume_WithAnotherText_IsRefused()
    {
        using TemporaryFolder folder = new();
        Run(TestModels.Tiny, folder["a"], stopAt: 3);
        Corpus other = TestModels.Corpus(TokenizerKind.Byte);
        using CpuBackend backend = new(1);
        RunConfig config = TestModels.Tiny.For(TestModels.Corpus());
        TinyMoEException error = Assert.Throws<TinyMoEException>(() =>
            new Trainer(backend, config, other, new RunFolder(folder["a"]), new RecordingListener(), resume: true));
        Assert.Contains("--data", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("latent")]
    public void Train_OneBatchManyTimes_LossNearsZero(string name)
    {
        Corpus corpus = new(new ByteTokenizer(), TestModels.Ids(40, 20), 0.5f); // one window of training text: 17 + 3 tokens
        RunConfig config = TestModels.Named(name);
        config = config with
        {
            Model = config.Model with { Vocabulary = 256 },
            Train = config.Train with { Steps = 150, LearningRate = 1e-2f, Batch = 2, EvalEvery = 1000 },
        };
        using TemporaryFolder folder = new();
        RecordingListener listener = new();
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config, corpus, new RunFolder(folder["a"]), listener);
        trainer.Run();
        Assert.InRange(listener.Steps[0].Loss, 5.0, 6.5);        // ln 256 = 5.5
        Assert.InRange(listener.Steps[^1].Loss, 0.0, 0.1);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("switch-head")]
    [InlineData("latent")]
    public void Train_LossFalls_AndValidationFollows(string name)
    {
        using TemporaryFolder folder = new();
        RecordingListener listener = new();
        RunConfig config = TestModels.Named(name);
        Run(config with { Train = config.Train with { Steps = 120, EvalEvery = 60 } }, folder["a"], listener: listener);
        (float first, float last) = (listener.Steps[0].Loss, listener.Steps[^1].Loss);
        Assert.True(last < 0.75 * first, $"loss went from {first} to {last}");
        Assert.True(listener.Evaluations[^1].Loss < listener.Evaluations[0].Loss);
    }

    [Theory]
    [InlineData("noisy")]
    [InlineData("switch-head")]
    public void Accumulation_InParts_GivesTheGradientOfTheWholeBatch(string name)
    {
        // Noise and dropout are drawn for the whole batch, so parts see what the whole would; balance losses are off because they are not
        // means over tokens.
        RunConfig config = TestModels.Named(name);
        config = config with { Moe = config.Moe with { ImportanceLoss = 0, LoadLoss = 0 } };
        using TemporaryFolder folder = new();
        RecordingListener whole = new(), parts = new();
        Run(config, folder["whole"], stopAt: 2, listener: whole);
        Run(config with { Train = config.Train with { Accumulation = 4 } }, folder["parts"], stopAt: 2, listener: parts);
        Assert.Equal(whole.Steps[0].Loss, parts.Steps[0].Loss, 1e-5f);
        Assert.Equal(whole.Steps[0].GradientNorm, parts.Steps[0].GradientNorm, 1e-4f * whole.Steps[0].GradientNorm);
        Assert.Equal(whole.Steps[1].Loss, parts.Steps[1].Loss, 1e-4f);
    }

    [Fact]
    public void Train_HugeLearningRate_StopsWithStepAndAdvice_AndKeepsCheckpoint()
    {
        using TemporaryFolder folder = new();
        RunConfig config = TestModels.Tiny with
        {
            Train = TestModels.Tiny.Train with { CheckpointEvery = 1, LearningRate = 1e30f, MinLearningRate = 1e30f, Warmup = 3, Clip = 0 },
        };
        TinyMoEException error = Assert.Throws<TinyMoEException>(() => Run(config, folder["a"]));
        Assert.Contains("step", error.Message, StringComparison.Ordinal);
        Assert.Contains("train.learning_rate", error.Message, StringComparison.Ordinal);
        Assert.Contains("is kept", error.Message, StringComparison.Ordinal);
        using CpuBackend backend = new(1);
        using Decoder model = Checkpoints.Model(RunFolder.FindCheckpoint(folder["a"]), backend);
        Assert.All(model.Weights(), w => Assert.True(float.IsFinite(w)));
    }

    public static TheoryData<string> TinyModelsAndPresets =>
    [
        "plain", "noisy", "switch-head", "latent", "bfloat16", .. Presets.All.Select(preset => preset.Name),
        "noisy" + TestModels.AllInBfloat16, "latent" + TestModels.AllInBfloat16,
        .. Presets.All.Select(preset => preset.Name + TestModels.AllInBfloat16),
    ];

    [Theory]
    [MemberData(nameof(TinyModelsAndPresets))]
    public void SteadyState_NoPoolMiss_LittleManagedMemory(string name)
    {
        const int WarmUp = 3, Measured = 4, MostBytes = 64 * 1024;
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Named(name).For(corpus);
        using CpuBackend backend = new(2);
        List<(long Misses, long Bytes)> marks = [];
        RecordingListener listener = new() { Then = _ => marks.Add((backend.Pool.Misses, GC.GetAllocatedBytesForCurrentThread())) };
        config = config with { Train = config.Train with { EvalEvery = 1000 } };
        using Trainer trainer = new(backend, config, corpus, new RunFolder(folder["a"]), listener);
        trainer.Run(stopAt: WarmUp + Measured);
        Assert.Equal(marks[WarmUp - 1].Misses, marks[^1].Misses);
        Assert.InRange((marks[^1].Bytes - marks[WarmUp - 1].Bytes) / Measured, 0, MostBytes);
    }

    [Fact]
    public void AfterTraining_OnlyModelMomentsAndThePlaceOfABatchAreOut()
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        using (Trainer trainer = new(backend, TestModels.Tiny.For(corpus), corpus, new RunFolder(folder["a"]), new RecordingListener()))
        {
            int before = backend.Pool.LiveBuffers;
            trainer.Run(stopAt: 10);
            Assert.Equal(before + 1, backend.Pool.LiveBuffers);
        }

        Assert.Equal(0, backend.Pool.LiveBuffers);
    }

    [Theory]
    [MemberData(nameof(TinyModelsAndPresets))]
    public void PeakMemory_IsNearWhatModelSizePredicts(string name)
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Named(name).For(corpus);
        ModelConfig model = config.Model;
        config = config with { Model = model with { Width = Math.Max(64, model.Width), Context = Math.Max(32, model.Context) } };
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config, corpus, new RunFolder(folder["a"]), new RecordingListener());
        MemoryReport memory = trainer.Run(stopAt: 1).Memory;
        Assert.Equal(
            (1, backend.Pool.PeakBytes, ModelSize.Of(config).TrainingBytes), (memory.Step, memory.PeakPoolBytes, memory.PredictedBytes));
        Assert.InRange((double)memory.PeakPoolBytes / memory.PredictedBytes, 0.99, 1.01);
        Assert.True(memory.PeakResidentBytes > memory.PeakPoolBytes);
        Assert.EndsWith(MetricsJson.Line(memory) + "\n", File.ReadAllText(folder["a/metrics.jsonl"]), StringComparison.Ordinal);
    }

    [Fact]
    public void PeakMemory_WithAccumulation_IsThatOfAPart_ThroughAnEvaluationToo()
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Tiny.For(corpus);
        config = config with { Train = config.Train with { Batch = 16, Accumulation = 8, Steps = 2, EvalWindows = 16 } };
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config, corpus, new RunFolder(folder["a"]), new RecordingListener());
        MemoryReport memory = trainer.Run().Memory;
        Assert.InRange((double)memory.PeakPoolBytes / memory.PredictedBytes, 0.95, 1.05);
    }

    [Fact]
    public void PeakMemory_WithAccumulation_IsNearThePrediction_EvaluationsIncluded()
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Tiny.For(corpus);
        config = config with
        {
            Model = config.Model with { Width = 64, Context = 32 },
            Train = config.Train with { Batch = 16, Accumulation = 16, EvalEvery = 1, EvalWindows = 16 },
        };
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config, corpus, new RunFolder(folder["a"]), new RecordingListener());
        MemoryReport memory = trainer.Run(stopAt: 2).Memory;
        Assert.InRange((double)memory.PeakPoolBytes / memory.PredictedBytes, 0.98, 1.02);
    }

    [Theory]
    [InlineData(ScheduleKind.Constant, 1f, 1f)]
    [InlineData(ScheduleKind.Cosine, 0.55f, 0.1f)]
    [InlineData(ScheduleKind.Wsd, 1f, 0.1f)]
    public void Schedule_WarmsUpAndEndsWhereItShould(ScheduleKind kind, float middle, float end)
    {
        TrainConfig config = new() { Steps = 210, Warmup = 10, LearningRate = 1f, MinLearningRate = 0.1f, Schedule = kind };
        Assert.Equal(0.5f, Schedule.LearningRate(config, 5), 1e-6f);
        Assert.Equal(1f, Schedule.LearningRate(config, 10), 1e-6f);
        Assert.Equal(middle, Schedule.LearningRate(config, 110), 1e-6f);
        Assert.Equal(end, Schedule.LearningRate(config, 210), 1e-6f);
    }

    [Fact]
    public void Resume_ComparesWithTheEvaluationBefore()
    {
        using TemporaryFolder folder = new();
        RecordingListener first = new(), second = new();
        Run(TestModels.Tiny, folder["a"], stopAt: 14, listener: first);
        Run(TestModels.Tiny, folder["a"], resume: true, listener: second);
        Assert.Equal([(10, true), (10, true)], first.Routing.Select(layer => (layer.Step, layer.Changed is null)));
        Assert.Equal(
            [(20, false), (20, false), (30, false), (30, false)], second.Routing.Select(layer => (layer.Step, layer.Changed is null)));
        Assert.All(second.Routing, layer => Assert.InRange(layer.Changed!.Value, 0f, 1f));

        File.Delete(folder["a/last/routing.safetensors"]);       // a checkpoint of before
        Checkpoints.Relist(folder["a/last"]);
        RecordingListener third = new();
        Run(TestModels.Tiny with { Train = TestModels.Tiny.Train with { Steps = 40 } }, folder["a"], resume: true, listener: third);
        Assert.All(third.Routing, layer => Assert.Null(layer.Changed));
    }

    [Fact]
    public void Train_OneExpertForAll_WarnsAndSaysWhatToTry()
    {
        // No balance loss and a large rate: with a single active expert of the largest probability, ties of the first step decide.
        using TemporaryFolder folder = new();
        RecordingListener listener = new();
        RunConfig config = TestModels.Tiny with
        {
            Moe = new MoeConfig { Experts = 8, Active = 1, Hidden = 16, Router = RouterKind.Switch },
            Train = TestModels.Tiny.Train with { Steps = 60, LearningRate = 3e-2f, EvalEvery = 10 },
        };
        Run(config, folder["a"], listener: listener);
        Assert.NotEmpty(listener.Warnings);
        Assert.All(listener.Warnings, warning => Assert.StartsWith($"layer {warning.Layer}", warning.Text, StringComparison.Ordinal));
        Assert.Contains(listener.Warnings, warning => warning.Text.Contains("set moe.balance_loss=0.01", StringComparison.Ordinal));
        IEnumerable<string> lines = File.ReadAllLines(folder["a/metrics.jsonl"])
            .Where(line => line.Contains("\"kind\":\"warning\"", StringComparison.Ordinal));
        Assert.Equal(listener.Warnings.Select(MetricsJson.Line), lines);
    }

    private static TrainingResult Run(
        RunConfig config,
        string folder,
        int threads = 2,
        int stopAt = int.MaxValue,
        bool resume = false,
        ITrainingListener? listener = null)
    {
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(threads);
        listener ??= new RecordingListener();
        using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder), listener, resume);
        return trainer.Run(stopAt);
    }

    private static void AssertSameModel(string a, string b)
    {
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(Path.Combine(a, "last", file)), File.ReadAllBytes(Path.Combine(b, "last", file)));
    }

    /// <summary>The metrics without what a clock or the machine's memory makes.</summary>
    private static string[] Metrics(string folder) => [.. File.ReadAllLines(Path.Combine(folder, "metrics.jsonl"))
        .Where(line => !line.Contains("\"kind\":\"memory\"", StringComparison.Ordinal))
        .Select(line => System.Text.RegularExpressions.Regex.Replace(line, "\"tokens_per_second\":[0-9.eE+-]+", ""))];
}
