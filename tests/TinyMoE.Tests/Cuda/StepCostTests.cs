using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// What a training step costs beside its arithmetic: waits, launches, memory. Counted by the emulated driver, at its entry points.
/// </summary>
[Collection(CudaCollection.Name)]
public sealed class StepCostTests(ITestOutputHelper output)
{
    private const int WarmUp = 3, Measured = 2, MostLayers = 8, MostLaunchesPerLayer = 40, MostManagedBytes = 64 * 1024;

    /// <summary>Launches per layer of presets whose layers do more than attention and one mixture.</summary>
    private static readonly Dictionary<string, (int Most, string Why)> OwnBounds = new()
    {
        ["switch-tiny"] = (44, "a full expert drops: the choices are sorted once more to see which, and both kinds are counted"),
        ["deepseek-tiny"] = (48, "shared experts, a bias of the choice, and two divisions of scores by their sum"),
        ["switch-head-tiny"] = (67, "two more mixtures per layer, in attention, each with two plans"),
    };

    public static TheoryData<string> Models => [.. Presets.All.Select(preset => preset.Name)];

    [EmulatedTheory]
    [MemberData(nameof(Models))]
    public void SteadyStep_ByCublas_WaitsOnceAndForCounts_LaunchesLittle_AllocatesNothing(string name)
    {
        Costs costs = Measure(name, new CudaOptions { Grouped = GroupedProducts.Cublas });
        Assert.InRange(costs.Waits, 0, 1 + costs.Mixtures);
        Assert.InRange(costs.Launches, 0, OwnBounds.TryGetValue(name, out (int Most, string) own) ? own.Most : MostLaunchesPerLayer);
        Assert.InRange(costs.Bytes, 0, MostManagedBytes);
        Assert.Equal((0, 0), (costs.Allocations, costs.Misses));
    }

    /// <summary>Where nobody says otherwise, the one wait is that for the losses, and the whole step is one launch: GraphTests.</summary>
    [EmulatedTheory]
    [MemberData(nameof(Models))]
    public void SteadyStep_ByDefault_WaitsOnce(string name)
    {
        Costs costs = Measure(name, new CudaOptions());
        Assert.Equal(1, costs.Waits);
        Assert.Equal(0, costs.Launches); // all in the graph
        Assert.InRange(costs.Bytes, 0, MostManagedBytes);
        Assert.Equal((0, 0), (costs.Allocations, costs.Misses));
    }

    private Costs Measure(string name, CudaOptions options)
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        RunConfig preset = TestModels.Named(name), config = TrainingTests.Small(preset).For(corpus);
        config = config with { Model = config.Model with { Layers = Math.Min(preset.Model.Layers, MostLayers) } };
        using CudaBackend cuda = TestDevice.NewBackend("", options);
        List<(int Waits, int Launches, int Products, int Allocations, long Bytes, long Misses)> marks = [];
        RecordingListener listener = new()
        {
            Then = _ => marks.Add((
                Emulator.Synchronizations, Emulator.Launches, Emulator.Products, Emulator.AllocationCalls,
                GC.GetAllocatedBytesForCurrentThread(), cuda.Pool.Misses)),
        };
        using Trainer trainer = new(cuda, config, corpus, new RunFolder(folder["a"]), listener);
        trainer.Run(stopAt: WarmUp + Measured);

        (var before, var after) = (marks[WarmUp - 1], marks[^1]);
        // of values and of outputs too
        int layers = config.Model.Layers, mixturesOfLayer = config.Attention.Kind == AttentionKind.SwitchHead ? 3 : 1;
        int mixtures = config.Moe.Experts > 0 ? mixturesOfLayer * layers : 0;
        double waits = (after.Waits - before.Waits) / (double)Measured;
        double launches = (after.Launches - before.Launches) / (double)Measured / layers;
        double products = (after.Products - before.Products) / (double)Measured / layers;
        long bytes = (after.Bytes - before.Bytes) / Measured;
        output.WriteLine(
            $"{name}: {waits} waits per step ({mixtures} mixtures), {layers} layers, {launches:F1} launches and {products:F1} products " +
            $"per layer, {bytes:N0} managed bytes, {after.Allocations - before.Allocations} device allocations");
        return new Costs(waits, mixtures, launches, bytes, after.Allocations - before.Allocations, after.Misses - before.Misses);
    }

    /// <summary>Of a step: waits; mixtures of all layers; launches per layer; managed bytes, allocations on the device, misses of its pool.
    /// </summary>
    private sealed record Costs(double Waits, int Mixtures, double Launches, long Bytes, int Allocations, long Misses);
}
