using System.Text.RegularExpressions;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Memory;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Moe;
using TinyMoE.Train;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>Steps of a training that are recorded and launched as a whole, beside the same steps launched call by call.</summary>
[Collection(CudaCollection.Name)]
public sealed partial class GraphTests : IDisposable
{
    private const int Steps = 14; // two evaluations, two checkpoints

    public static TheoryData<string> PresetNames => [.. Presets.All.Select(preset => preset.Name)];

    public static TheoryData<string> Routers => [.. RouterModels.All.Where(router => router != "uniform")];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [CudaTheory]
    [InlineData("dense", "")]
    [InlineData("dense", "lazy")]
    [InlineData("noisy", "")]
    [InlineData("noisy", Emulator.AllChecks)]
    [InlineData("nano", "")]
    public void Training_AsAGraph_GivesTheBytesOfOneLaunchByLaunch(string name, string settings)
    {
        RunConfig config = Of(name);
        Train(config, "plain", GraphUse.Off, "", []);
        Train(config, "graph", GraphUse.On, settings, []);
        AssertSame("plain", "graph");
    }

    [CudaTheory]
    [MemberData(nameof(PresetNames))]
    public void Training_OfEveryPreset_IsRecordedAndGivesTheSameBytes(string name) => Compare(Of(name), steps: 8);

    /// <summary>Activations in bfloat16, and products and attention on tensor cores.</summary>
    [CudaTheory]
    [InlineData("nano", TensorCores.Bfloat16)]
    [InlineData("mixtral-tiny", TensorCores.Bfloat16)]
    [InlineData("mixtral-tiny", TensorCores.Tf32)]
    public void Training_OnTensorCores_IsRecordedAndGivesTheSameBytes(string name, TensorCores tensorCores)
    {
        bool isNarrow = tensorCores == TensorCores.Bfloat16;
        Compare(Of(isNarrow ? name + TestModels.AllInBfloat16 : name), steps: 6, tensorCores);
    }

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void Training_OfEveryRouterWithAllNoiseAndDropping_IsRecordedAndGivesTheSameBytes(string router) =>
        Compare(RouterModels.Of(router).WithEverythingOfTraining(), steps: 6);

    [CudaFact]
    public void Training_OfTheUniformRouter_SaysThatTheHostSendsTurns()
    {
        List<string> notes = [];
        Train(RouterModels.Of("uniform"), "a", GraphUse.Auto, "", notes, stopAt: 5);
        Assert.Contains("the host sends", Assert.Single(notes), StringComparison.Ordinal);
    }

    [CudaFact]
    public void Training_StoppedAndResumed_GivesTheBytesOfOneThatNeverStopped()
    {
        RunConfig config = Of("noisy");
        Train(config, "whole", GraphUse.Off, "", []);
        Train(config, "parts", GraphUse.On, "", [], stopAt: 9);
        Train(config, "parts", GraphUse.Auto, "", [], resume: true);
        AssertSame("whole", "parts");
    }

    /// <summary>Where nobody says anything of graphs or of experts.</summary>
    [EmulatedTheory]
    [InlineData("dense")]
    [InlineData("noisy")]
    [MemberData(nameof(PresetNames))]
    public void SteadyStep_ByDefault_IsOneLaunchOneWaitAndOneCopyEachWay(string name)
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        List<Costs> marks = [];
        RecordingListener listener = new() { Then = _ => marks.Add(Costs.Now(cuda)) };
        Corpus corpus = TestModels.Corpus();
        RunConfig config = Of(name).For(corpus);
        config = config with { Train = config.Train with { EvalEvery = Steps, CheckpointEvery = Steps } };
        using Trainer trainer = new(cuda, config, corpus, new RunFolder(folder["a"]), listener);
        trainer.Run(stopAt: 7);

        Costs one = new(Launches: 0, Products: 0, Graphs: 1, Waits: 1, CopiesToDevice: 1, CopiesToHost: 1, Allocations: 0, Misses: 0);
        foreach ((Costs before, Costs after) in marks.Skip(3).Zip(marks.Skip(4)))
            Assert.Equal(one, after - before);
        Assert.InRange(Emulator.GraphNodes, 50, 10_000);
    }

    [CudaFact]
    public void Training_OfProductsThatNeedTheHost_GoesLaunchByLaunchAndSaysWhyOnce()
    {
        List<string> notes = [];
        RunConfig config = TrainingTests.Small(TestModels.Named("mixtral-tiny"));
        Train(config, "plain", GraphUse.Off, "", notes, stopAt: 6, grouped: GroupedProducts.Cublas);
        Assert.Empty(notes);
        Train(config, "auto", GraphUse.Auto, "", notes, stopAt: 6, grouped: GroupedProducts.Cublas);
        Assert.Equal(
            "steps are launched call by call, not as a graph: cuBLAS needs the rows of each expert on the host "
            + "(--grouped own reads them on the device)", Assert.Single(notes));
        AssertSame("plain", "auto");
        string error = OneLine.Of(() => Train(config, "on", GraphUse.On, "", notes, grouped: GroupedProducts.Cublas));
        Assert.StartsWith("The steps cannot be launched as a graph, which was asked for: cuBLAS needs", error, StringComparison.Ordinal);
    }

    [CudaFact]
    public void Record_OfWorkThatNeedsTheHost_IsRefused()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        DeviceBuffer buffer = cuda.Pool.Rent(64);
        Floats x = buffer.As<float>(16);
        cuda.Fill(x, 1f);
        Assert.Contains("the host reads 4 bytes", Refusal(() => cuda.Read(x.Slice(0, 1))), StringComparison.Ordinal);
        Assert.Contains("the host sends 8 bytes", Refusal(() => cuda.Write<float>([1f, 2f], x.Slice(0, 2))), StringComparison.Ordinal);
        Assert.Contains("the host waits", Refusal(cuda.Synchronize), StringComparison.Ordinal);
        Assert.Contains("keeps its memory", Refusal(() => cuda.Pool.Rent(128)), StringComparison.Ordinal);
        _ = Assert.Throws<InvalidOperationException>(() => cuda.Recorder!.Record(() => throw new InvalidOperationException("a bug")));
        Assert.Equal(1f, cuda.Read(x)[7]); // and the device works on
        TestDevice.RequireNoFinding();

        string Refusal(Action work) => Assert.Throws<NotRecordableException>(() => cuda.Recorder!.Record(work)).Message;
    }

    [CudaFact]
    public void Recording_RunsWhileNobodyHasItsMemory()
    {
        using CudaBackend cuda = TestDevice.NewBackend(TestDevice.IsEmulated ? "lazy" : "");
        DeviceBuffer result = cuda.Pool.Rent(64);
        Floats y = result.As<float>(16);
        using IRecording recording = cuda.Recorder!.Record(() =>
        {
            DeviceBuffer between = cuda.Pool.Rent(1024); // a miss of the pool
            Floats x = between.As<float>(16);
            cuda.Fill(x, 3f);
            cuda.Affine(x, 2f, 1f, 16, y);
            cuda.Pool.Return(between);
        });
        cuda.Fill(y, 0f);
        Assert.Equal(0f, cuda.Read(y)[0]); // nothing of it is done yet
        recording.Run();
        Assert.Equal(7f, cuda.Read(y)[15]);

        DeviceBuffer taken = cuda.Pool.Rent(1024);
        Assert.False(recording.CanRun);
        _ = Assert.Throws<InvalidOperationException>(recording.Run);
        cuda.Pool.Return(taken);
        Assert.True(recording.CanRun);
        _ = cuda.Pool.FreeWaiting();
        Assert.False(recording.CanRun);
        TestDevice.RequireNoFinding();
    }

    [Fact]
    public void Training_OfAnotherObjective_IsNotRecorded()
    {
        List<string> told = [];
        using StepWork work = new(new Unwanted(), isSameInEveryStep: false, told.Add);
        int done = 0;
        for (int step = 0; step < 4; step++)
            work.Do(isLaidOutAsBefore: step > 0, () => done++);
        Assert.Equal(4, done);
        Assert.Contains("other work in every step", Assert.Single(told), StringComparison.Ordinal);
    }

    private static RunConfig Of(string name)
    {
        RunConfig config = name switch
        {
            "dense" => TestModels.Tiny with { Moe = new MoeConfig { Experts = 0 } },
            "noisy" => TestModels.TinyNoisy with
            {
                Moe = new MoeConfig { Experts = 0 },
                Train = TestModels.Tiny.Train with { Accumulation = 2 },
            },
            _ => TrainingTests.Small(TestModels.Named(name)),
        };
        return config with
        {
            Train = config.Train with { Steps = Steps, EvalEvery = 7, CheckpointEvery = 5, Warmup = 4, EvalWindows = 8 },
        };
    }

    private void Compare(RunConfig config, int steps, TensorCores tensorCores = TensorCores.Off)
    {
        Train(config, "plain", GraphUse.Off, "", [], steps, tensorCores: tensorCores);
        Train(config, "graph", GraphUse.On, "", [], steps, tensorCores: tensorCores);
        AssertSame("plain", "graph");
    }

    private void Train(
        RunConfig config, string run, GraphUse graph, string settings, List<string> notes, int stopAt = Steps, bool resume = false,
        GroupedProducts grouped = GroupedProducts.Auto, TensorCores tensorCores = TensorCores.Off)
    {
        CudaOptions options = new() { Graph = graph, Grouped = grouped, TensorCores = tensorCores };
        using CudaBackend cuda = TestDevice.NewBackend(settings, options);
        Corpus corpus = TestModels.Corpus();
        RecordingListener listener = new();
        using Trainer trainer = new(cuda, config.For(corpus), corpus, new RunFolder(folder[run]), listener, resume);
        trainer.Run(stopAt);
        notes.AddRange(listener.Notes.Select(note => note.Text));
        TestDevice.RequireNoFinding();
    }

    private void AssertSame(string a, string b)
    {
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(folder[$"{a}/last/{file}"]), File.ReadAllBytes(folder[$"{b}/last/{file}"]));
        Assert.Equal(Metrics(a), Metrics(b));
    }

    /// <summary>All but times and the memory of the machine.</summary>
    private IEnumerable<string> Metrics(string run) => File.ReadLines(folder[$"{run}/metrics.jsonl"])
        .Where(line => !line.StartsWith("""{"kind":"memory""", StringComparison.Ordinal)).Select(line => Speed().Replace(line, ""));

    /// <summary>What was asked of the driver so far, beside what graphs did.</summary>
    private sealed record Costs(
        int Launches, int Products, int Graphs, int Waits, long CopiesToDevice, long CopiesToHost, int Allocations, long Misses)
    {
        public static Costs Now(CudaBackend cuda)
        {
            IReadOnlyDictionary<string, long> activity = Emulator.Activity();
            return new(
                Emulator.Launches, Emulator.Products, Emulator.GraphLaunches, Emulator.Synchronizations, activity["copiesToDevice"],
                activity["copiesToHost"], Emulator.AllocationCalls, cuda.Pool.Misses);
        }

        public static Costs operator -(Costs a, Costs b) => new(
            a.Launches - b.Launches, a.Products - b.Products, a.Graphs - b.Graphs, a.Waits - b.Waits, a.CopiesToDevice - b.CopiesToDevice,
            a.CopiesToHost - b.CopiesToHost, a.Allocations - b.Allocations, a.Misses - b.Misses);
    }

    private sealed class Unwanted : IRecorder
    {
        public bool IsRequired => false;

        public IRecording Record(Action work) => throw new InvalidOperationException("It was asked to record.");
    }

    [GeneratedRegex("\"tokens_per_second\":[^,}]*")]
    private static partial Regex Speed();
}
