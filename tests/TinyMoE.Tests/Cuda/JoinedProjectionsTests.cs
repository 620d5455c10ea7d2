using System.Text.Json;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Cuda;

/// <summary>Models whose queries, keys and values are one product, beside the same models with three: losses, products, bytes.</summary>
[Collection(CudaCollection.Name)]
public sealed class JoinedProjectionsTests(ITestOutputHelper output) : IDisposable
{
    /// <summary>Products per layer that one takes the place of three in: forward, dx and dW.</summary>
    private const int Saved = 6;

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [CudaTheory]
    [InlineData("mixtral-tiny", TensorCores.Off, false)]
    [InlineData("mixtral-tiny", TensorCores.Tf32, false)]
    [InlineData("mixtral-tiny", TensorCores.Bfloat16, true)]
    [InlineData("plain", TensorCores.Off, true)]
    [InlineData("linear", TensorCores.Off, false)] // clipped: three products all the same
    public void Training_GivesTheLossesOfThreeProducts(string name, TensorCores tensorCores, bool inBfloat16)
    {
        RunConfig config = TestModels.Named(name);
        config = inBfloat16 ? config.InBfloat16() : config;
        float[][] expected = Train(config, new CudaOptions { TensorCores = tensorCores, JoinsProjections = false }, "apart");
        float[][] actual = Train(config, new CudaOptions { TensorCores = tensorCores }, "joined");
        Assert.Equal(expected[0], actual[0]); // a column of a product is the same whatever is beside it
        double tolerance = inBfloat16 ? 5e-3 : tensorCores == TensorCores.Off ? 1e-5 : 1e-3;
        foreach ((float[] of, float[] and) in expected.Zip(actual))
            Assert.All(of.Zip(and), pair => Assert.InRange(Math.Abs(pair.First - pair.Second), 0, tolerance * (1 + Math.Abs(pair.First))));
    }

    [CudaTheory]
    [InlineData(TensorCores.Off, false)]
    [InlineData(TensorCores.Bfloat16, true)]
    public void Training_AsAGraph_GivesTheLossesOfLaunches(TensorCores tensorCores, bool inBfloat16)
    {
        RunConfig config = TestModels.Named("mixtral-tiny");
        config = inBfloat16 ? config.InBfloat16() : config;
        CudaOptions options = new() { TensorCores = tensorCores, Grouped = GroupedProducts.Own, Graph = GraphUse.Off };
        float[][] expected = Train(config, options, "launches");
        Assert.Equal(expected, Train(config, options with { Graph = GraphUse.On }, "graph"));
    }

    [EmulatedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_TakesSixProductsLessPerLayer_AndNoMoreLaunchesOrBytes(bool inBfloat16)
    {
        RunConfig config = Presets.Get("bench");
        config = config with
        {
            Model = config.Model with { Width = 128, Layers = 2, Context = 32 },
            Attention = config.Attention with { Heads = 4, KvHeads = 2 },
            Moe = config.Moe with { Hidden = 160 },
            Train = config.Train with { Batch = 2, Accumulation = 1, EvalEvery = 1000 },
        };
        config = inBfloat16 ? config.InBfloat16() : config;
        TensorCores tensorCores = inBfloat16 ? TensorCores.Bfloat16 : TensorCores.Off;
        Costs apart = Measure(config, new CudaOptions { TensorCores = tensorCores, JoinsProjections = false });
        Costs joined = Measure(config, new CudaOptions { TensorCores = tensorCores });
        output.WriteLine($"apart {apart}, joined {joined}, bytes {(double)joined.Bytes / apart.Bytes:F3}");
        Assert.Equal(Saved * config.Model.Layers, apart.Products - joined.Products);
        Assert.InRange(joined.Launches, 1, apart.Launches);
        Assert.InRange(joined.Bytes, 1, apart.Bytes);
    }

    private float[][] Train(RunConfig config, CudaOptions options, string run)
    {
        config = TrainingTests.Small(config);
        config = config with { Model = config.Model with { Width = 128 } }; // heads of 32, which tensor cores take
        using CudaBackend cuda = TestDevice.NewBackend("", options);
        RecordingListener listener = new();
        Corpus corpus = TestModels.Corpus();
        using Trainer trainer = new(cuda, config.For(corpus), corpus, new RunFolder(folder[run]), listener);
        trainer.Run(stopAt: 5);
        TestDevice.RequireNoFinding();
        return [.. listener.Steps.Select(step => step.Losses.Values.ToArray())];
    }

    /// <summary>What the second step costs.</summary>
    private Costs Measure(RunConfig config, CudaOptions options)
    {
        Corpus corpus = TestModels.Corpus();
        using CudaBackend cuda = TestDevice.NewBackend("count", options);
        (int Launches, int Products) before = default;
        RecordingListener listener = new()
        {
            Then = step =>
            {
                if (step.Step == 1)
                    (_, before) = (Emulator.TakeCounters(), (Emulator.Launches, Emulator.Products));
            },
        };
        using Trainer trainer = new(cuda, config.For(corpus), corpus, new RunFolder(folder[Guid.NewGuid().ToString()]), listener);
        trainer.Run(stopAt: 2);
        using JsonDocument document = JsonDocument.Parse(Emulator.TakeCounters());
        long bytes = document.RootElement.EnumerateArray().Sum(
            k => k.GetProperty("bytesRead").GetInt64() + k.GetProperty("bytesWritten").GetInt64());
        return new Costs(Emulator.Launches - before.Launches, Emulator.Products - before.Products, bytes);
    }

    private sealed record Costs(int Launches, int Products, long Bytes);
}
