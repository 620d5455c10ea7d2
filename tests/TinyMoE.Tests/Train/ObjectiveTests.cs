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

/// <summary>The trainer with batches and objectives that it does not know.</summary>
public sealed class ObjectiveTests
{
    [Fact]
    public void Train_AnotherSourceAndAnotherObjective_LearnsReportsAndSavesWhatTheyGive()
    {
        using TemporaryFolder folder = new();
        RecordingListener listener = new();
        RunConfig config = TestModels.Tiny with { Model = TestModels.Tiny.Model with { Vocabulary = 0 } };
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config, new Counting(), new RunFolder(folder["a"]), listener, objective: new Twice());

        trainer.Run();

        Assert.Equal(Counting.Numbers, trainer.Model.Config.Model.Vocabulary);
        Assert.All(listener.Steps, step => Assert.Equal(["twice", "cross_entropy", "total"], step.Losses.Keys));
        Assert.All(listener.Steps, step => Assert.Equal(step.Losses["twice"], step.Loss));
        Assert.All(listener.Steps, step => Assert.Equal(2 * step.Losses["cross_entropy"], step.Losses["total"]));
        Assert.True(listener.Steps[^1].Loss < 0.5 * listener.Steps[0].Loss, "counting is easy");
        Assert.True(listener.Evaluations[^1].Loss < listener.Evaluations[0].Loss);
        Assert.Equal("0 to 6", File.ReadAllText(folder["a/last/numbers.txt"]));
        Assert.False(File.Exists(folder["a/last/tokenizer.json"]));
    }

    [Fact]
    public void Train_LossesOfAStep_AreLossesOnly()
    {
        using TemporaryFolder folder = new();
        RecordingListener listener = new();
        RunConfig config = TestModels.Tiny with { Moe = TestModels.Tiny.Moe with { CapacityFactor = 0.5f, MinCapacity = 1 } };
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder["a"]), listener);

        trainer.Run(stopAt: 3);

        Assert.All(listener.Steps, step => Assert.Equal(["cross_entropy", "balance", "z", "total"], step.Losses.Keys));
        Assert.All(listener.Steps, step => Assert.True(step.GradientNorm > 0 && step.Dropped is > 0 and < 1));
    }

    /// <summary>Counts 0, 1, ... 6, 0, 1, ...; a window begins somewhere.</summary>
    private sealed class Counting : IBatchSource, IEvaluationSource
    {
        public const int Numbers = 7;

        public string Fingerprint => "counting";

        public int TrainTokens => int.MaxValue;

        public int ValidationTokens => Numbers * Context;

        public int Sequences => Numbers;

        public int Context => TestModels.Tiny.Model.Context;

        public LabelSet Labels => new(["numbers"]);

        public RunConfig Complete(RunConfig config) => config.WithVocabulary(Numbers);

        public void CheckContext(int context) => Assert.Equal(Context, context);

        public int[] TrainFrequencies() => [.. Enumerable.Repeat(1, Numbers)];

        public long[] CountLabels() => [ValidationTokens];

        public Batch TrainBatch(Tape tape, RunConfig config, int step, int part) =>
            Windows(tape, step, config.Train.Batch / config.Train.Accumulation);

        public IEvaluationSource ForEvaluation(RunConfig config) => this;

        public EvaluationBatch Read(Tape tape, int first, int count, bool withLabels) =>
            new(Windows(tape, first, count), new int[count * Context], count * Context);

        public void Save(string folder) => File.WriteAllText(Path.Combine(folder, "numbers.txt"), "0 to 6");

        private Batch Windows(Tape tape, int first, int count)
        {
            int T = Context;
            int[] inputs = [.. Enumerable.Range(0, count * T).Select(n => (first + n / T + n % T) % Numbers)];
            return new Batch(new TokenBatch(tape.Ints(inputs), count, T), tape.Ints([.. inputs.Select(id => (id + 1) % Numbers)]));
        }
    }

    /// <summary>Twice the cross-entropy, whatever that is good for.</summary>
    private sealed class Twice : IObjective
    {
        public string MainPart => "twice";

        public ObjectiveResult Forward(Tape tape, Decoder model, Batch batch, Pass pass)
        {
            DecoderOutput output = model.Forward(tape, batch.Tokens, pass);
            Tensor loss = output.Logits.CrossEntropy(batch.Targets), twice = loss.Scale(2f);
            return new ObjectiveResult(new Objective(twice, [("twice", twice), ("cross_entropy", loss)]), output.Routings);
        }
    }
}
