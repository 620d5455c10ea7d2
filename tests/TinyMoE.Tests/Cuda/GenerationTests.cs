using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;
using TinyMoE.Tests.Cuda.Budget;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Cuda;

/// <summary>Generation whose tokens are chosen on the device, beside the host's choices from the same device's logits.</summary>
[Collection(CudaCollection.Name)]
public sealed class GenerationTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    private static readonly SamplingOptions All = new()
    {
        Temperature = 1.1f, TopK = 17, TopP = 0.95f, MinP = 0.01f, RepetitionPenalty = 1.2f, Seed = 3,
    };

    public static TheoryData<string> Routers => [.. RouterModels.Causal];

    public static TheoryData<string> PresetNames => [.. Presets.All.Select(preset => preset.Name)];

    [CudaTheory]
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("heads")]
    [InlineData("sinks")]
    [InlineData("yarn")]
    [InlineData("bfloat16")]
    [InlineData("plain" + TestModels.AllInBfloat16)]
    [InlineData("switch-head")]
    [InlineData("latent")]
    public void Tokens_AreThoseThatTheHostChooses(string name)
    {
        // Far beyond the context of 16, so that the window starts over several times.
        Compare(TestModels.Named(name), [1, 2, 3], 50, Greedy);
        if (!name.EndsWith(TestModels.AllInBfloat16, StringComparison.Ordinal)) // rounded at other places, logits differ by a hundredth
            Compare(TestModels.Named(name), [1, 2, 3], 50, All);
    }

    /// <summary>The same tokens read one by one: what the device's way rounds at other places is no further from float32.</summary>
    [CudaTheory]
    [InlineData("plain")]
    [InlineData("heads")]
    [InlineData("sinks")]
    public void Logits_InBfloat16_AreAsCloseToFloat32AsThoseOfTheOtherWay(string name)
    {
        float[] exact = Logits(TestModels.Named(name), onHost: true);
        Assert.InRange(Distance(Logits(TestModels.Named(name), onHost: false), exact), 0, 1e-5);
        RunConfig narrow = TestModels.Named(name + TestModels.AllInBfloat16);
        double host = Distance(Logits(narrow, onHost: true), exact), device = Distance(Logits(narrow, onHost: false), exact);
        Assert.InRange(device, 0, 1.2 * host);
    }

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void Tokens_OfEveryRouter_AreThoseThatTheHostChooses(string router) =>
        Compare(RouterModels.Of(router), [1, 2, 3], 40, All, router == "uniform" ? GraphUse.Auto : GraphUse.On);

    [CudaTheory]
    [MemberData(nameof(PresetNames))]
    public void Tokens_OfEveryPreset_AreThoseThatTheHostChooses(string name) =>
        Compare(TrainingTests.Small(Presets.Get(name)), [1, 2, 3], 24, Greedy);

    [CudaTheory]
    [InlineData(1f, 0, 1f, 0f, 1f)]
    [InlineData(1f, 5, 1f, 0f, 1f)]
    [InlineData(1.5f, 0, 0.8f, 0f, 1f)]
    [InlineData(1.5f, 0, 1f, 0.2f, 1f)]
    [InlineData(0f, 0, 1f, 0f, 1.5f)]
    [InlineData(2f, 0, 1f, 0f, 0.7f)]
    public void Tokens_OfEachOption_AreThoseThatTheHostChooses(float temperature, int topK, float topP, float minP, float penalty) =>
        Compare(TestModels.Tiny, [5], 40, new SamplingOptions
        {
            Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, RepetitionPenalty = penalty, Seed = 9,
        });

    [CudaFact]
    public void Tokens_UnderEveryCheck_AreTheSame()
    {
        RunConfig config = TestModels.Named("sinks");
        int[] plain = Write(config, GraphUse.On, onHost: false, [1, 2, 3], 40, All);
        Assert.Equal(plain, Write(config, GraphUse.On, onHost: false, [1, 2, 3], 40, All, Emulator.AllChecks));
        Assert.Equal(plain, Write(config, GraphUse.Off, onHost: false, [1, 2, 3], 40, All, Emulator.AllChecks));
    }

    [CudaFact]
    public void Writable_AndStopTokens_AreThoseOfTheHost()
    {
        int[] writable = [2, 3, 7, 11, 13, 20];
        int[] plain = Write(TestModels.Tiny, GraphUse.On, onHost: true, [5], 60, All with { TopK = 0 }, writable: writable);
        Assert.All(plain, id => Assert.Contains(id, writable));
        Assert.Equal(plain, Write(TestModels.Tiny, GraphUse.On, onHost: false, [5], 60, All with { TopK = 0 }, writable: writable));

        // The stop token is among tokens that are computed together: what is behind it is dropped.
        int place = Array.FindIndex(plain, 3, id => Array.IndexOf(plain, id) > 3);
        Assert.InRange(place, 4, 60);
        int[] stopped = Write(
            TestModels.Tiny, GraphUse.On, onHost: false, [5], 60, All with { TopK = 0 }, writable: writable, stop: plain[place]);
        Assert.Equal(plain[..(place + 1)], stopped);
    }

    [CudaFact]
    public void Prompt_LongerThanTheContext_AndOneThatGrowsTheCache_GiveTheTokensOfTheHost()
    {
        Compare(TestModels.Tiny, TestModels.Ids(50, 29), 30, Greedy);
        RunConfig large = TestModels.Tiny with { Model = TestModels.Tiny.Model with { Context = 700, Layers = 1 } };
        Compare(large, TestModels.Ids(230, 29), 60, All); // a cache has room for 256 at first
    }

    [CudaFact]
    public void Weights_ThatAreNotFinite_AreTheErrorOfTheHost()
    {
        foreach (bool onHost in (bool[])[true, false])
        {
            using CudaBackend cuda = TestDevice.NewBackend();
            using Decoder model = Spread(cuda, TestModels.Tiny);
            View<float> weights = model.Parameters.Weights.All;
            cuda.Affine(weights, float.NaN, 0f, weights.Length, weights);
            int live = cuda.Pool.LiveBuffers;
            string error = OneLine.Of(() => _ = new Generator(cuda, model) { ChoosesOnHost = onHost }.Generate([1, 2], 3, All).ToArray());
            Assert.StartsWith("The model's logits are not finite", error, StringComparison.Ordinal);
            Assert.Equal(live, cuda.Pool.LiveBuffers);
        }
    }

    [EmulatedTheory]
    [InlineData(GraphUse.On)]
    [InlineData(GraphUse.Off)]
    public void SixtyFourTokens_AreFewWaits_AndOfAGraphOneLaunchEach(GraphUse graph)
    {
        RunConfig config = TestModels.Tiny with { Model = TestModels.Tiny.Model with { Context = 128 } };
        using CudaBackend cuda = TestDevice.NewBackend("", new CudaOptions { Graph = graph, Grouped = GroupedProducts.Own });
        using Decoder model = Spread(cuda, config);
        List<(int Launches, int Graphs, int Waits, long ToDevice, long ToHost, long Misses)> marks = [];
        foreach (int _ in new Generator(cuda, model).Generate([1, 2, 3], 1 + 64, All))
        {
            IReadOnlyDictionary<string, long> activity = Emulator.Activity();
            marks.Add((Emulator.Launches, Emulator.GraphLaunches, Emulator.Synchronizations, activity["copiesToDevice"],
                activity["copiesToHost"], cuda.Pool.Misses));
        }

        var (first, second, last) = (marks[0], marks[1], marks[^1]);
        Assert.Equal(4, last.Waits - first.Waits);      // one per 16 tokens
        Assert.Equal(4, last.ToHost - first.ToHost);
        Assert.Equal(0, last.ToDevice - first.ToDevice);
        Assert.Equal(second.Misses, last.Misses);
        int launches = last.Launches - second.Launches; // of 48 tokens, when the first 16 of the second read are there
        Assert.Equal(graph == GraphUse.On ? 48 : 0, last.Graphs - second.Graphs);
        if (graph == GraphUse.On)
            Assert.Equal(0, launches);
        else
            Assert.Equal(48 * DecodeBudget.OnCard(config, Card.Get("h100")).Launches, launches); // as on paper
    }

    /// <summary>Root of the mean square of the distance, beside that of the values.</summary>
    private static double Distance(float[] actual, float[] expected) => Math.Sqrt(
        actual.Zip(expected, (a, b) => Math.Pow(a - b, 2)).Sum() / expected.Sum(value => Math.Pow(value, 2)));

    /// <summary>The logits after each token of a text, token by token.</summary>
    private static float[] Logits(RunConfig config, bool onHost)
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        using Decoder model = Spread(cuda, config);
        using DecoderCache cache = model.NewCache();
        using Tape tape = cuda.NewTape(recording: false);
        List<float> logits = [];
        foreach (int id in TestModels.Ids(config.Model.Context, 29))
        {
            DecodeState state = new(tape.Ints(DecodeState.Begin(cache.Length, index: 0, remembered: 1)));
            cache.State = onHost ? null : state;
            TokenBatch token = new(tape.Ints([id]), 1, 1) { Position = onHost ? default : state.Position };
            logits.AddRange(model.Forward(tape, token, Pass.Inference, cache).Logits.ToArray());
            if (!onHost)
                cache.Advance(1);
        }

        return [.. logits];
    }

    private static void Compare(RunConfig config, int[] prompt, int count, SamplingOptions options, GraphUse graph = GraphUse.On)
    {
        int[] expected = Write(config, GraphUse.Off, onHost: true, prompt, count, options);
        Assert.True(expected.Distinct().Count() > 3, "a model that repeats itself proves nothing");
        Assert.Equal(expected, Write(config, GraphUse.Off, onHost: false, prompt, count, options));
        Assert.Equal(expected, Write(config, graph, onHost: false, prompt, count, options));
    }

    private static int[] Write(
        RunConfig config, GraphUse graph, bool onHost, int[] prompt, int count, SamplingOptions options, string settings = "",
        int[]? writable = null, int stop = -1)
    {
        using CudaBackend cuda = TestDevice.NewBackend(settings, new CudaOptions { Graph = graph, Grouped = GroupedProducts.Own });
        using Decoder model = Spread(cuda, config);
        int live = cuda.Pool.LiveBuffers;
        int? label = config.Moe.RoutesByLabel ? 1 : null;
        Generator generator = new(cuda, model)
        {
            ChoosesOnHost = onHost, Label = label, Writable = writable, StopTokens = new HashSet<int> { stop },
        };
        int[] ids = [.. generator.Generate(prompt, count, options)];
        Assert.Equal(live, cuda.Pool.LiveBuffers);
        TestDevice.RequireNoFinding();
        return ids;
    }

    /// <summary>A model with weights large enough that its text is not one letter.</summary>
    private static Decoder Spread(Backend backend, RunConfig config)
    {
        Decoder model = new(backend, config with // large biases would drown the text
        {
            Model = config.Model with { Biases = false, Vocabulary = Math.Max(29, config.Model.Vocabulary) },
            Attention = config.Attention with { Biases = false, OutputBias = BiasChoice.AsModel },
        });
        foreach ((Parameter parameter, int i) in model.Parameters.All.Select((parameter, i) => (parameter, i)))
        {
            float[] values = new float[parameter.Count];
            new Philox(new RandomKey(6, RandomPurpose.Other, Step: i)).Normals(0, values);
            model.Parameters.Write(parameter, 0, [.. values.Select(value => value / 2)]);
        }

        return model;
    }
}
