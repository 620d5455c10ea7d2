using TinyMoE.Backends.Cpu;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

public sealed class TrainingProfilerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly Corpus corpus = TestModels.Corpus();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    public void Train_WithProfile_SameBytesAsWithout(string name)
    {
        Train(name, "plain", profiler: false, stopAt: 12);
        Train(name, "profiled", profiler: true, stopAt: 12);
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(folder[$"plain/last/{file}"]), File.ReadAllBytes(folder[$"profiled/last/{file}"]));
    }

    [Fact]
    public void Profile_CountsStepsAfterTheWarmUp_WithoutEvaluations()
    {
        TrainingProfile profile = Train("plain", "run", profiler: true, stopAt: 12)!; // evaluates after step 10
        Assert.Equal(12 - TrainingProfiler.WarmUpSteps, profile.Steps);
        Assert.Equal(TestModels.Tiny.Model.Layers * profile.Steps, Calls("AttentionForward"));
        Assert.Equal(profile.Steps, Calls("CrossEntropyForward"));
        long Calls(string kernel) =>
            profile.Kernels.Where(k => k.Name.StartsWith($"{kernel} ", StringComparison.Ordinal)).Sum(k => k.Calls);
        Assert.InRange(profile.OutsideKernels, TimeSpan.Zero, profile.Time);
        Assert.Equal(profile.Kernels.OrderByDescending(k => k.Time), profile.Kernels);
    }

    [Fact]
    public void Profile_OfARunNoLongerThanTheWarmUp_IsNone() =>
        Assert.Null(Train("plain", "run", profiler: true, stopAt: TrainingProfiler.WarmUpSteps));

    private TrainingProfile? Train(string name, string run, bool profiler, int stopAt)
    {
        RunConfig config = TestModels.Named(name).For(corpus);
        using CpuBackend cpu = new(2);
        ProfilingBackend profiling = new(cpu);
        TrainingProfiler? watching = profiler ? new TrainingProfiler(profiling) : null;
        using Trainer trainer = new(profiler ? profiling : cpu, config, corpus, new RunFolder(folder[run]), new RecordingListener())
        {
            Profiler = watching,
        };
        trainer.Run(stopAt);
        return watching?.Profile;
    }
}
