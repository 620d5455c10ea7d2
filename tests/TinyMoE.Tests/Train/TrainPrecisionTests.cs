using TinyMoE.App;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tensors;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

/// <summary>Runs of <c>train.precision=bfloat16</c>: activations and what products read of weights in 16 bits of memory.</summary>
public sealed class TrainPrecisionTests
{
    public static TheoryData<string> Models =>
        ["plain", "noisy", "switch-head", "latent", "heads", "sinks", "bfloat16", .. Presets.All.Select(preset => preset.Name)];

    [Theory]
    [MemberData(nameof(Models))]
    public void Bfloat16_EveryModelAndPreset_LearnsAsInFloat32(string name)
    {
        using TemporaryFolder folder = new();
        RunConfig config = Small(TestModels.Named(name));
        RecordingListener wide = new(), narrow = new();
        Train(config, folder["wide"], wide);
        Train(config.InBfloat16(), folder["narrow"], narrow);
        Assert.True(narrow.Steps[^1].Loss < 0.95 * narrow.Steps[0].Loss, $"{narrow.Steps[0].Loss} to {narrow.Steps[^1].Loss}");
        Assert.NotEqual(wide.Steps[^1].Loss, narrow.Steps[^1].Loss);
        Assert.Equal(wide.Steps[0].Loss, narrow.Steps[0].Loss, 0.005 * wide.Steps[0].Loss);
        // all the way, not at its end, where seeds differ by a quarter: examples/studies/precision compares ends
        double expected = wide.Steps.Average(step => step.Loss);
        Assert.Equal(expected, narrow.Steps.Average(step => step.Loss), 0.04 * expected);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("switch-head")]
    [InlineData("deepseek-v2")]
    public void Bfloat16_MatricesAreReadInIt_RoutersGatesAndVectorsAreNot(string name)
    {
        IReadOnlyList<Parameter> all = Decoder.Plan(TestModels.Named(name).InBfloat16());
        Assert.All(all, p => Assert.Equal(
            p.Shape.Rank > 1 && p.Decays && !p.Name.Contains("router", StringComparison.Ordinal)
                && !p.Name.Contains("shared_gate", StringComparison.Ordinal) ? ElementType.Bfloat16 : ElementType.Float32,
            p.Precision));
        Assert.Contains(all, p => p.Part == ModelPart.Embedding && p.Precision == ElementType.Bfloat16);
        Assert.All(Decoder.Plan(TestModels.Named(name)), p => Assert.Equal(ElementType.Float32, p.Precision));
    }

    [Fact]
    public void Bfloat16_AfterEachStep_TheCopiesAreTheRoundedMasters()
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        Trainer? trainer = null;
        RecordingListener listener = new() { Then = _ => AssertFresh(trainer!.Model) };
        RunConfig config = TestModels.TinyNoisy.InBfloat16().For(corpus);
        using (trainer = new(backend, config, corpus, new RunFolder(folder["a"]), listener))
        {
            AssertFresh(trainer.Model);
            trainer.Run(stopAt: 3);
        }

        void AssertFresh(Decoder model) => Assert.All(
            model.Parameters.All.Where(p => p.Precision == ElementType.Bfloat16),
            p => Assert.Equal(Array.ConvertAll(backend.Read(p.Data), Bfloat16.Narrow), backend.Read(p.Bfloat16)));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("latent")]
    [InlineData("switch-head")]
    public void Bfloat16_LoadedForGeneration_ComputesWhatTheTrainerDid_InHalfTheMemory_AndWithACache(string name)
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Named(name).InBfloat16().For(corpus);
        int[] ids = TestModels.Ids(14, corpus.Tokenizer.Vocabulary);
        using CpuBackend trained = new(2), loaded = new(2);
        using Trainer trainer = new(trained, config, corpus, new RunFolder(folder["a"]), new RecordingListener());
        trainer.Run(stopAt: 10);
        using Decoder model = Checkpoints.Model(folder["a/last"], loaded);
        Assert.Equal(TrainPrecision.Bfloat16, model.Config.Train.Precision);
        float[] logits = TestModels.Logits(trained, trainer.Model, ids, B: 1);
        Assert.Equal(logits, TestModels.Logits(loaded, model, ids, B: 1));

        const int MostRounding = 64;                             // of each parameter to a cache line
        long bytes = model.Parameters.All.Sum(p => p.Precision.BytesOf(p.Count) + MostRounding);
        Assert.InRange(model.Parameters.All.Sum(p => p.Precision.BytesOf(p.Count)), 0, 0.6 * 4 * model.Parameters.Count);
        long states = model.Parameters.States.Sum(state => 4L * state.Shape.Count + MostRounding);
        Assert.InRange(loaded.Pool.LiveBytes, 0, bytes + states + 64 * 1024);

        using DecoderCache cache = model.NewCache();
        float[] last = [];
        foreach (int[] part in (int[][])[ids[..9], ids[9..13], ids[13..]])
        {
            using Tape tape = loaded.NewTape(recording: false);
            last = model.Forward(tape, new TokenBatch(tape.Ints(part), 1, part.Length), Pass.Inference, cache, lastOnly: true)
                .Logits.ToArray();
        }

        float[] whole = logits[^last.Length..];
        for (int i = 0; i < last.Length; i++)
            Assert.Equal(whole[i], last[i], 0.03 * (1 + Math.Abs(whole[i])));
    }

    [Fact]
    public void Bfloat16_ActivationsTakeHalfTheMemory_AsPredicted()
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Tiny with
        {
            Model = TestModels.Tiny.Model with { Width = 128, Layers = 4, Context = 64 },
            Moe = TestModels.Tiny.Moe with { Hidden = 192 },
            Train = TestModels.Tiny.Train with { Batch = 8 },
        };
        (long Activations, MemoryReport Memory)[] runs = [.. new[] { config, config.InBfloat16() }.Select(c =>
        {
            using CpuBackend backend = new(2);
            RunFolder run = new(folder[$"{c.Train.Precision}"]);
            using Trainer trainer = new(backend, c.For(corpus), corpus, run, new RecordingListener());
            long standing = backend.Pool.LiveBytes;
            MemoryReport memory = trainer.Run(stopAt: 1).Memory;
            return (memory.PeakPoolBytes - standing, memory);
        })];
        Assert.All(runs, run => Assert.InRange((double)run.Memory.PeakPoolBytes / run.Memory.PredictedBytes, 0.99, 1.01));
        Assert.InRange((double)runs[1].Activations / runs[0].Activations, 0.5, 0.6); // what is saved of routers and norms is float32
    }

    [Fact]
    public void Bfloat16_OverSeeds_EndsWithinHalfAPercentOfFloat32()
    {
        using TemporaryFolder folder = new();
        double[] differences = [.. Enumerable.Range(1, 6).Select(seed =>
        {
            TrainConfig train = TestModels.Tiny.Train with { Seed = (ulong)seed, Steps = 100, EvalEvery = 100, LearningRate = 1e-3f };
            RunConfig config = TestModels.Tiny with { Train = train with { EvalWindows = 0 } };
            double[] losses = [.. new[] { config, config.InBfloat16() }.Select(c =>
            {
                RecordingListener listener = new();
                Train(c, folder[$"{c.Train.Precision}{seed}"], listener);
                return listener.Evaluations[^1].Loss;
            })];
            return losses[1] / losses[0] - 1;
        })];
        Assert.InRange(differences.Average(), -0.005, 0.005);
    }

    [Fact]
    public void Tf32_OnTheProcessor_IsRefusedByName()
    {
        RunConfig config = TestModels.Tiny with { Train = TestModels.Tiny.Train with { Precision = TrainPrecision.Tf32 } };
        TinyMoEException error = Assert.Throws<TinyMoEException>(() => new DeviceChoice(Threads: 1).OpenToTrain(config));
        Assert.Contains("train.precision=tf32", error.Message, StringComparison.Ordinal);
        new DeviceChoice(Threads: 1).Open(config).Dispose();    // a trained one may be used anywhere
    }

    /// <summary>So that every preset learns in a moment.</summary>
    private static RunConfig Small(RunConfig config) => config with
    {
        Model = config.Model with { Context = Math.Min(32, config.Model.Context), Layers = Math.Min(2, config.Model.Layers) },
        Train = config.Train with
        {
            Batch = 4,
            Accumulation = 1,
            Steps = 40,
            ScheduleSteps = 0,
            Warmup = 5,
            EvalEvery = 40,
            EvalWindows = 8,
            LearningRate = 1e-3f,
        },
    };

    private static void Train(RunConfig config, string folder, RecordingListener listener)
    {
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder), listener);
        trainer.Run();
    }
}
