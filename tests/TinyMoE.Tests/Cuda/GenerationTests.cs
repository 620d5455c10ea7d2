using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Generate;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.RandomNumbers;
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
    [InlineData("sinks" + TestModels.AllInBfloat16)]
    [InlineData("switch-head")]
    [InlineData("latent")]
    public void Tokens_AreThoseThatTheHostChooses(string name)
    {
        // Far beyond the context of 16, so that the window starts over several times.
        Compare(TestModels.Named(name), [1, 2, 3], 50, Greedy);
        Compare(TestModels.Named(name), [1, 2, 3], 50, All);
    }

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void Tokens_OfEveryRouter_AreThoseThatTheHostChooses(string router) =>
        Compare(RouterModels.Of(router), [1, 2, 3], 40, All, router == "uniform" || router == "task" ? GraphUse.Auto : GraphUse.On);

    private static void Compare(RunConfig config, int[] prompt, int count, SamplingOptions options, GraphUse graph = GraphUse.On)
    {
        int[] expected = Write(config, GraphUse.Off, onHost: true, prompt, count, options);
        Assert.True(expected.Distinct().Count() > 3, "a model that repeats itself proves nothing");
        Assert.Equal(expected, Write(config, GraphUse.Off, onHost: false, prompt, count, options));
        Assert.Equal(expected, Write(config, graph, onHost: false, prompt, count, options));
    }

    private static int[] Write(RunConfig config, GraphUse graph, bool onHost, int[] prompt, int count, SamplingOptions options)
    {
        using CudaBackend cuda = TestDevice.NewBackend("", new CudaOptions { Graph = graph, Grouped = GroupedProducts.Own });
        using Decoder model = Spread(cuda, config);
        int live = cuda.Pool.LiveBuffers;
        int? label = config.Moe.RoutesByLabel ? 1 : null;
        int[] ids = [.. new Generator(cuda, model) { ChoosesOnHost = onHost, Label = label }.Generate(prompt, count, options)];
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
        View<float> weights = model.Parameters.Weights.All;
        backend.FillNormal(new RandomKey(4, RandomPurpose.Other, 0), weights.Length, weights);
        backend.Affine(weights, 0.5f, 0f, weights.Length, weights);
        return model;
    }
}
