using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using TinyMoE.Tests.Files;
using TinyMoE.Train;
using TinyMoE.Train.Objectives;

namespace TinyMoE.Tests.Train;

/// <summary>Losses and weights that are not finite end a run with a reason, and with what can be kept.</summary>
public sealed class NotFiniteTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend backend = new(2);
    private readonly RecordingListener listener = new();

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData(float.NaN, "NaN", 20)]
    [InlineData(float.PositiveInfinity, "Infinity", 20)]
    [InlineData(float.NaN, "NaN", 10)] // the first of all
    public void ValidationLoss_NotFinite_IsNeverTheBest_AndTheStepIsSaved(float factor, string name, int step)
    {
        using (Trainer whole = New("whole"))
            whole.Run();
        using (Trainer trainer = New("a", new Spoiled(factor, step / 10)))
        {
            string error = OneLine.Of(() => trainer.Run());
            string what = $"step {step}: the validation loss is {name}; the step is saved in {folder["a/last"]}.";
            Assert.StartsWith(what, error, StringComparison.Ordinal);
            Assert.Contains("train.learning_rate", error, StringComparison.Ordinal);
        }

        Assert.Equal(step, Checkpoints.Step(folder["a/last"]));
        Assert.Equal(step > 10, Checkpoint.Exists(folder["a/best"]));
        Assert.Equal(name, $"{listener.Evaluations[^1].Loss}");
        Assert.Contains(
            File.ReadAllLines(folder["a/metrics.jsonl"]),
            line => line.StartsWith($$"""{"kind":"eval","step":{{step}},"loss":"{{name}}","perplexity":""", StringComparison.Ordinal));

        using (Trainer resumed = New("a", resume: true))
            Assert.True(double.IsFinite(resumed.Run().BestLoss));
        Assert.Equal(File.ReadAllBytes(folder["whole/last/model.safetensors"]), File.ReadAllBytes(folder["a/last/model.safetensors"]));
    }

    [Fact]
    public void ValidationLoss_OfWeightsThatAreNotFinite_KeepsTheCheckpointBefore()
    {
        using Trainer trainer = New("a", checkpointEvery: 5);
        listener.Then = step =>
        {
            if (step.Step == 10)
                backend.Write<float>([float.NaN], trainer.Model.Parameters.Weights.Slice(3, 1));
        };

        string error = OneLine.Of(() => trainer.Run());

        Assert.StartsWith("step 10: model.", error, StringComparison.Ordinal);
        string kept = $"not finite (NaN or Infinity), so this step is not saved; the checkpoint of step 5 in {folder["a/last"]} is kept";
        Assert.Contains(kept, error, StringComparison.Ordinal);
        Assert.Equal(5, Checkpoints.Step(folder["a/last"]));
        Assert.False(Checkpoint.Exists(folder["a/best"]));
    }

    [Theory]
    [InlineData(1e4f)]
    [InlineData(1e8f)]
    [InlineData(1e12f)]
    [InlineData(2e38f)]
    public void Train_AnyLearningRate_EndsOrSaysWhatIsNotFinite(float learningRate)
    {
        RunConfig config = TestModels.TinyNoisy with
        {
            Moe = new MoeConfig { Experts = 0 },
            Train = TestModels.Tiny.Train with { LearningRate = learningRate, MinLearningRate = 1, Warmup = 0, EvalEvery = 1, Steps = 20 },
        };
        Corpus corpus = TestModels.Corpus();
        using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder["a"]), listener);

        TinyMoEException? error = Record.Exception(() => trainer.Run()) switch
        {
            null => null,
            TinyMoEException e => e,
            Exception e => throw new InvalidOperationException("This is a bug.", e),
        };
        Assert.Matches("^$|NaN|Infinity", error?.Message ?? "");
        if (!Checkpoint.Exists(folder["a/last"]))
            return;
        using Decoder model = Checkpoints.Model(folder["a/last"], backend);
        Assert.Null(model.Parameters.FindNonFiniteWeight());
    }

    private Trainer New(string name, IObjective? objective = null, bool resume = false, int checkpointEvery = 0)
    {
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Tiny with { Train = TestModels.Tiny.Train with { CheckpointEvery = checkpointEvery } };
        return new Trainer(backend, config.For(corpus), corpus, new RunFolder(folder[name]), listener, resume, objective);
    }

    /// <summary>Language modelling whose evaluations are spoiled from the one with this number on.</summary>
    private sealed class Spoiled(float factor, int from) : IObjective
    {
        private readonly LanguageModelling inner = new();
        private int evaluated; // batches

        public string MainPart => inner.MainPart;

        public ObjectiveResult Forward(Tape tape, Decoder model, Batch batch, Pass pass)
        {
            ObjectiveResult result = inner.Forward(tape, model, batch, pass);
            if (pass.Training || evaluated++ < BatchesPerEvaluation * (from - 1))
                return result;
            Tensor spoiled = result.Loss.Total.Scale(factor);
            return result with { Loss = new Objective(spoiled, [(MainPart, spoiled)]) };
        }

        private static int BatchesPerEvaluation => TestModels.Tiny.Train.EvalWindows / TestModels.Tiny.Train.Batch;
    }
}
