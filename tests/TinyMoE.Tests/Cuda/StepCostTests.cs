using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;
using Xunit.Abstractions;

namespace TinyMoE.Tests.Cuda;

/// <summary>What a training step costs beside its arithmetic: waits, launches, memory. Counted by the emulated driver, at its entry points.</summary>
[Collection(CudaCollection.Name)]
public sealed class StepCostTests(ITestOutputHelper output)
{
    private const int WarmUp = 3, Measured = 4, MostLaunchesPerLayer = 40, MostManagedBytes = 64 * 1024;

    public static TheoryData<string> Models => [.. Presets.All.Select(preset => preset.Name)];

    [EmulatedTheory]
    [MemberData(nameof(Models))]
    public void SteadyStep_WaitsOnceAndForCounts_LaunchesLittle_AllocatesNothing(string name)
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TrainingTests.Small(TestModels.Named(name)).For(corpus);
        using CudaBackend cuda = TestDevice.NewBackend();
        List<(int Waits, int Launches, int Allocations, long Bytes, long Misses)> marks = [];
        RecordingListener listener = new()
        {
            Then = _ => marks.Add((Emulator.Synchronizations, Emulator.Launches + Emulator.Products, Emulator.AllocationCalls, GC.GetAllocatedBytesForCurrentThread(), cuda.Pool.Misses)),
        };
        using Trainer trainer = new(cuda, config, corpus, new RunFolder(folder["a"]), listener);
        trainer.Run(stopAt: WarmUp + Measured);

        (var before, var after) = (marks[WarmUp - 1], marks[^1]);
        int layers = config.Model.Layers, mixtures = config.Moe.Experts > 0 ? layers : 0;
        double waits = (after.Waits - before.Waits) / (double)Measured, launches = (after.Launches - before.Launches) / (double)Measured / layers;
        long bytes = (after.Bytes - before.Bytes) / Measured;
        output.WriteLine($"{name}: {waits} waits a step ({mixtures} MoE layers), {launches:F1} launches a layer, {bytes:N0} managed bytes, {after.Allocations - before.Allocations} device allocations");
        Assert.InRange(waits, 0, 1 + mixtures);
        Assert.InRange(launches, 0, MostLaunchesPerLayer);
        Assert.InRange(bytes, 0, MostManagedBytes);
        Assert.Equal((before.Allocations, before.Misses), (after.Allocations, after.Misses));
    }
}
