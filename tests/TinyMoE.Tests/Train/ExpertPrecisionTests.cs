using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

public sealed class ExpertPrecisionTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    public void Bfloat16_Training_EndsNearTheLossOfFloat32(string name)
    {
        using TemporaryFolder folder = new();
        double[] losses = [.. new[] { ElementType.Float32, ElementType.Bfloat16 }.Select(precision =>
        {
            RunConfig config = With(TestModels.Named(name), precision);
            RecordingListener listener = new();
            TrainConfig train = config.Train with { Steps = 200, EvalEvery = 200, EvalWindows = 0 };
            Train(config with { Train = train }, folder[$"{precision}"], listener);
            return listener.Evaluations[^1].Loss;
        })];
        Assert.NotEqual(losses[0], losses[1]);
        Assert.Equal(losses[0], losses[1], 0.02 * losses[0]);
    }

    [Fact]
    public void Bfloat16_LoadedForGeneration_HoldsExpertsInHalfTheMemory_AndComputesWhatTheTrainerDid()
    {
        using TemporaryFolder folder = new();
        RunConfig wide = With(TestModels.Tiny, ElementType.Float32), narrow = With(TestModels.Tiny, ElementType.Bfloat16);
        Corpus corpus = TestModels.Corpus();
        int[] ids = TestModels.Ids(16, corpus.Tokenizer.Vocabulary);
        Train(wide, folder["wide"], new RecordingListener());
        using CpuBackend trained = new(2), loaded = new(2), float32 = new(2);
        using Trainer trainer = new(trained, narrow.For(corpus), corpus, new RunFolder(folder["narrow"]), new RecordingListener());
        trainer.Run();
        using Decoder model = Checkpoints.Model(folder["narrow/last"], loaded);
        using Decoder other = Checkpoints.Model(folder["wide/last"], float32);

        long experts = Experts(model).Sum(p => (long)p.Count), all = model.Parameters.Count;
        const int MostRounding = 32 * 64; // of each parameter to a cache line
        Assert.InRange(float32.Pool.LiveBytes - loaded.Pool.LiveBytes, 2 * experts, 2 * experts + MostRounding);
        Assert.InRange(loaded.Pool.LiveBytes, 4 * (all - experts) + 2 * experts, 4 * (all - experts) + 2 * experts + MostRounding);
        Assert.All(Experts(model), p => Assert.False(p.WantsGrad));
        Assert.Equal(2 * experts, ModelSize.Of(other.Config).GenerationBytes - ModelSize.Of(model.Config).GenerationBytes);
        Assert.Equal(TestModels.Logits(trained, trainer.Model, ids, B: 1), TestModels.Logits(loaded, model, ids, B: 1));
    }

    [Fact]
    public void Bfloat16_EveryExpertMatrixAndNothingElse()
    {
        RunConfig config = With(TestModels.TinyNoisy, ElementType.Bfloat16); // with biases
        Assert.All(Decoder.Plan(config), p => Assert.Equal(IsOfExperts(p), p.Precision == ElementType.Bfloat16));
    }

    [Fact]
    public void Bfloat16_AfterEachStep_TheCopiesAreTheRoundedMasters()
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        Trainer? trainer = null;
        RecordingListener listener = new() { Then = _ => AssertFresh(trainer!.Model) };
        RunConfig narrow = With(TestModels.Tiny, ElementType.Bfloat16).For(corpus);
        using (trainer = new(backend, narrow, corpus, new RunFolder(folder["a"]), listener))
        {
            AssertFresh(trainer.Model);
            trainer.Run(stopAt: 3);
            Assert.Equal(3, listener.Steps.Count);
        }

        void AssertFresh(Decoder model) => Assert.All(
            Experts(model), p => Assert.Equal(Array.ConvertAll(backend.Read(p.Data), Bfloat16.Narrow), backend.Read(p.Bfloat16)));
    }

    private static Parameter[] Experts(Decoder model) => [.. model.Parameters.All.Where(IsOfExperts)];

    private static bool IsOfExperts(Parameter p) => p.Part == ModelPart.Experts && p.Shape.Rank == 3;

    private static RunConfig With(RunConfig config, ElementType precision) =>
        config with { Moe = config.Moe with { ExpertPrecision = precision } };

    private static void Train(RunConfig config, string folder, RecordingListener listener)
    {
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder), listener);
        trainer.Run();
    }
}
