using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Moe;
using TinyMoE.Tests.Train;
using TinyMoE.Train;

namespace TinyMoE.Tests.Cuda;

/// <summary>Whole training runs on the CUDA device beside the CPU's.</summary>
[Collection(CudaCollection.Name)]
public sealed class TrainingTests
{
    private const double LossTolerance = 1e-4;

    public static TheoryData<string> Models =>
        [.. Presets.All.Select(preset => preset.Name), "noisy", "latent", "bfloat16", "sinks", "dynamic", .. FamilyModels.Trainable];

    public static TheoryData<string> Routers => [.. RouterModels.All];

    [CudaTheory]
    [MemberData(nameof(Models))]
    public void OneStep_OfPreset_GivesTheLossesAndWeightsOfTheCpu(string name) => CompareSteps(Small(TestModels.Named(name)), steps: 1);

    [CudaTheory]
    [InlineData("mixtral-tiny")]
    [InlineData("noisy")]
    [InlineData("latent")]
    [InlineData("switch-head")]
    [InlineData("gpt-oss")]
    public void FiveSteps_AllInBfloat16_FollowTheLossesOfTheCpu(string name) =>
        CompareSteps(Small(TestModels.Named(name)).InBfloat16(), steps: 5, lossTolerance: 5e-3);

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void TwoSteps_OfEveryRouter_GiveTheLossesAndWeightsOfTheCpu(string router) => CompareSteps(RouterModels.Of(router), steps: 2);

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void TwoSteps_OfEveryRouterWithAllNoiseAndDropping_GiveTheLossesAndWeightsOfTheCpu(string router) =>
        CompareSteps(RouterModels.Of(router).WithEverythingOfTraining(), steps: 2);

    [CudaFact]
    public void TwentySteps_OfMixtralTiny_FollowTheLossesOfTheCpu() => CompareSteps(Small(TestModels.Named("mixtral-tiny")), steps: 20);

    [CudaFact]
    public void TwentySteps_OfMixtralTiny_Twice_GiveTheSameBits()
    {
        using TemporaryFolder folder = new();
        RunConfig config = Small(TestModels.Named("mixtral-tiny"));
        foreach (string name in (string[])["a", "b"])
        {
            using CudaBackend cuda = TestDevice.NewBackend(settings: name == "a" ? "" : "shuffle=11");
            Train(cuda, config, folder[name], stopAt: 20);
        }

        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(folder[$"a/last/{file}"]), File.ReadAllBytes(folder[$"b/last/{file}"]));
    }

    [CudaTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Checkpoint_OfOneDevice_IsReadOnTheOther(bool fromCuda)
    {
        using TemporaryFolder folder = new();
        using CpuBackend cpu = new(2);
        using CudaBackend cuda = TestDevice.NewBackend();
        (Backend writer, Backend reader) = fromCuda ? ((Backend)cuda, (Backend)cpu) : (cpu, cuda);
        RunConfig config = TestModels.Tiny;
        Train(writer, config, folder["a"], stopAt: 5);

        using Decoder written = Checkpoints.Model(folder["a/last"], writer), read = Checkpoints.Model(folder["a/last"], reader);
        Assert.Equal(written.Weights(), read.Weights());
        int[] ids = TestModels.Ids(32, written.Config.Model.Vocabulary);
        AssertNear(TestModels.Logits(writer, written, ids, B: 2), TestModels.Logits(reader, read, ids, B: 2), 1e-4, "logit");
    }

    [CudaTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Resume_OnTheOtherDevice_GoesOnAsTheFirst(bool fromCuda)
    {
        using TemporaryFolder folder = new();
        using CpuBackend cpu = new(2);
        using CudaBackend cuda = TestDevice.NewBackend();
        (Backend first, Backend second) = fromCuda ? ((Backend)cuda, (Backend)cpu) : (cpu, cuda);
        RunConfig config = TestModels.Tiny;
        List<StepReport> whole = Train(first, config, folder["whole"], stopAt: 12);
        Train(first, config, folder["parts"], stopAt: 6);
        List<StepReport> rest = Train(second, config, folder["parts"], stopAt: 12, resume: true);
        Assert.Equal(whole.Skip(6).Select(step => step.Step), rest.Select(step => step.Step));
        AssertSameLosses(whole[6..], rest);
    }

    /// <summary>Trains on both devices and compares every loss of every step, and the weights at the end.</summary>
    private static void CompareSteps(RunConfig config, int steps, double? lossTolerance = null)
    {
        using TemporaryFolder folder = new();
        using CpuBackend cpu = new(2);
        using CudaBackend cuda = TestDevice.NewBackend();
        List<StepReport> expected = Train(cpu, config, folder["cpu"], steps), actual = Train(cuda, config, folder["cuda"], steps);
        AssertSameLosses(expected, actual, lossTolerance ?? LossTolerance);
        if (lossTolerance is not null)
            return; // where values are rounded, a sum in another order is another weight here and there

        using Decoder a = Checkpoints.Model(folder["cpu/last"], cpu), b = Checkpoints.Model(folder["cuda/last"], cpu);
        double largestUpdate = steps * config.Train.LearningRate;
        AssertNear(a.Weights(), b.Weights(), 0.05 * largestUpdate, "weight");
    }

    private static void AssertSameLosses(List<StepReport> expected, List<StepReport> actual, double tolerance = LossTolerance)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach ((StepReport a, StepReport b) in expected.Zip(actual))
        {
            Assert.Equal(a.Losses.Keys, b.Losses.Keys);
            foreach ((string name, float loss) in a.Losses)
                AssertNear(loss, b.Losses[name], tolerance * Math.Max(1, Math.Abs(loss)), $"step {a.Step}: {name}");
            AssertNear(a.GradientNorm, b.GradientNorm, 10 * tolerance * a.GradientNorm, $"step {a.Step}: the gradient's norm");
        }
    }

    private static void AssertNear(float[] expected, float[] actual, double tolerance, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            AssertNear(expected[i], actual[i], tolerance, $"{what} {i}");
    }

    private static void AssertNear(double expected, double actual, double tolerance, string what) => Assert.True(
        Math.Abs(expected - actual) <= tolerance, $"{what}: {actual:G9}, on the other device {expected:G9}, allowed {tolerance:G3}");

    private static List<StepReport> Train(Backend backend, RunConfig config, string folder, int stopAt, bool resume = false)
    {
        Corpus corpus = TestModels.Corpus();
        RecordingListener listener = new();
        using Trainer trainer = new(backend, config.For(corpus), corpus, new RunFolder(folder), listener, resume);
        trainer.Run(stopAt);
        return listener.Steps;
    }

    /// <summary>The same model, narrow and short.</summary>
    internal static RunConfig Small(RunConfig config) => config with
    {
        Model = config.Model with { Width = 32, Layers = 2, Context = 16 },
        Attention = config.Attention with { Heads = 4, KvHeads = config.Attention.KvHeads == 0 ? 0 : 2 },
        Moe = config.Moe with { Hidden = Math.Min(config.Moe.Hidden, 24) },
        Train = config.Train with { Batch = 4, Accumulation = 1, EvalEvery = 1000 },
    };
}
