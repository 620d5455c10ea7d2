using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tensors;
using TinyMoE.Train.Objectives;

namespace TinyMoE.Tests.Backends;

/// <summary>Whether a training step is cut so that many workers have work: simulated, from the times of its pieces on one.</summary>
[Collection(AloneCollection.Name)]
public sealed class WorkListTests(ITestOutputHelper output)
{
    private const int Runs = 8;

    /// <summary>3 % and 9 % where nothing else runs. What is left: backwards of attention, which are one piece per head, and the first
    /// pieces of a loop, which read what no cache has.</summary>
    [Theory]
    [InlineData("bench", 16, 0.06)]
    [InlineData("bench", 64, 0.12)]
    public void TrainingStep_OnManyWorkers_WaitsNoLongerThanItDid(string preset, int workers, double most)
    {
        RunConfig config = Presets.Get(preset).WithVocabulary(256);
        config.Validate();
        WorkList list = new(workers);
        using CpuBackend backend = new(list, workers);
        using Decoder model = new(backend, config);
        AdamW optimizer = new(model.Parameters, config.Train);
        Step(backend, model, optimizer);                         // compiles
        for (int run = 0; run < Runs; run++)
        {
            list.Again();
            Step(backend, model, optimizer);
        }

        output.WriteLine($"{preset} on {workers} workers: {1e3 * list.Work:F1} ms of work, {1e3 * list.Span:F2} ms of loops, "
            + $"{list.Idle:P1} idle, {1e3 * list.Outside:F1} ms outside loops");
        foreach (KernelLoops kernel in list.Kernels)
            output.WriteLine(kernel.ToString());
        Assert.True(list.Idle < most, $"{workers} workers wait {list.Idle:P1} of their time in the loops of {preset}.");
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("switch-head")]
    [InlineData("latent")]
    public void TrainingStep_CutForManyWorkers_SameBits(string name)
    {
        RunConfig config = TestModels.Named(name);
        config = config with { Model = config.Model with { Width = 64, Context = 128 }, Train = config.Train with { Batch = 6 } };
        using CpuBackend one = new(threads: 1), three = new(threads: 3);
        using CpuBackend some = new(new WorkList(16), 16), many = new(new WorkList(64), 64);
        (float[] weights, float[] moments) = Trained(one, config);
        foreach (CpuBackend backend in new[] { three, some, many })
        {
            (float[] same, float[] sameMoments) = Trained(backend, config);
            Assert.Equal(weights, same);
            Assert.Equal(moments, sameMoments);
        }
    }

    [Fact]
    public void Idle_OfPiecesOfOneSize_IsTheShareOfTheLastRound()
    {
        WorkList list = new(4);
        list.Again();
        list.Begin(Times, (1, 2), 6);
        for (int i = 0; i < 6; i++)
            list.Piece(100);
        list.End();
        Assert.Equal(0.25, list.Idle, 1e-9);                     // six pieces in two rounds of four
    }

    [Fact]
    public void Begin_OfAnotherLoopThanBefore_IsAnError()
    {
        WorkList list = new(4);
        list.Again();
        list.Begin(Times, (1, 2), 6);
        list.End();
        list.Again();
        Assert.Throws<InvalidOperationException>(() => list.Begin(Times, (1, 2), 7));
    }

    private static void Times()
    {
    }

    private static (float[] Weights, float[] Moments) Trained(CpuBackend backend, RunConfig config)
    {
        using Decoder model = new(backend, config);
        AdamW optimizer = new(model.Parameters, config.Train);
        Step(backend, model, optimizer, learningRate: 1e-3f);
        Step(backend, model, optimizer, learningRate: 1e-3f);
        return (backend.Read(model.Parameters.Weights.All),
            backend.Read(optimizer.FirstMoments.All));
    }

    /// <summary>A step that leaves the weights as they are, so that the next one has the same loops.</summary>
    private static void Step(CpuBackend backend, Decoder model, AdamW optimizer, float learningRate = 0f)
    {
        RunConfig config = model.Config;
        (int B, int T, int V) = (config.Train.Batch, config.Model.Context, config.Model.Vocabulary);
        model.Parameters.ZeroGrad();
        using Tape tape = backend.NewTape();
        int[] ids = TestModels.Ids(B * T, V), next = TestModels.Ids(B * T, V, seed: 2);
        Batch batch = new(new TokenBatch(tape.Ints(ids), B, T), tape.Ints(next));
        ObjectiveResult result = new LanguageModelling().Forward(tape, model, batch, new Pass(Training: true, config.Train.Seed, 1, 0));
        tape.Backward(result.Loss.Total);
        optimizer.Step(1, learningRate);
    }
}
