using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Models;

/// <summary>What the blocks of other families make of a decoder: which parameters there are, and what multipliers do.</summary>
public sealed class FamilyModelTests
{
    [Theory]
    [InlineData(1, 0, 1)]
    [InlineData(2, 1, 2)]
    [InlineData(3, 2, 3)]
    [InlineData(5, 4, 5)]
    public void InLayer_DecoderSparseStep_IsExpressed(int step, int firstDense, int every)
    {
        MoeConfig moe = new() { FirstDense = firstDense, Every = every };
        Assert.All(Enumerable.Range(0, 20), layer => Assert.Equal((layer + 1) % step == 0, moe.InLayer(layer)));
    }

    [Fact]
    public void InLayer_ListedLayers_AreDenseBesidesTheOthers()
    {
        MoeConfig moe = new() { FirstDense = 1, Every = 2, DenseLayers = new(0, 3, 4) };
        Assert.Equal([1, 5, 7], Enumerable.Range(0, 8).Where(moe.InLayer));
    }

    [Theory]
    [InlineData("", new int[0])]
    [InlineData("3", new[] { 3 })]
    [InlineData("4, 0", new[] { 4, 0 })]
    public void DenseLayers_AsTextAndJson_AreTheSameList(string text, int[] layers)
    {
        RunConfig config = new RunConfig().With("moe.dense_layers", text);
        Assert.Equal(layers, config.Moe.DenseLayers.Layers);
        Assert.Equal(config, ConfigJson.Read(ConfigJson.Write(config), new RunConfig()));
        Assert.Equal(config.Moe, ConfigJson.Read("{\"moe\": {\"dense_layers\": [" + text + "]}}", new RunConfig()).Moe);
        Assert.Equal(layers.Length == 0 ? "none" : string.Join(',', layers), config.Moe.DenseLayers.ToString());
        Assert.Equal(config, new RunConfig().With("moe.dense_layers", config.Moe.DenseLayers.ToString()));
    }

    [Theory]
    [InlineData("1.5")]
    [InlineData("all")]
    [InlineData("1,")]
    public void DenseLayers_NoListOfLayers_IsRefusedInOneLine(string text) =>
        Assert.Contains("moe.dense_layers needs a list of layers", Assert.Throws<TinyMoEException>(
            () => new RunConfig().With("moe.dense_layers", text)).Message);

    [Theory]
    [InlineData(false, "model.feed_forward_biases", "true", "layers.0.feed_forward.down.bias", "layers.0.feed_forward.up.bias")]
    [InlineData(false, "model.head_bias", "true", "head.bias")]
    [InlineData(false, "moe.expert_biases", "true", "layers.1.moe.experts.down.bias", "layers.1.moe.experts.up.bias",
        "layers.1.moe.shared_experts.down.bias", "layers.1.moe.shared_experts.up.bias")]
    [InlineData(false, "moe.router_bias", "true", "layers.1.moe.router.bias")]
    [InlineData(false, "attention.output_bias", "true", "layers.0.attention.output.bias", "layers.1.attention.output.bias")]
    [InlineData(true, "model.feed_forward_biases", "false", "layers.0.feed_forward.down.bias", "layers.0.feed_forward.up.bias")]
    [InlineData(true, "model.head_bias", "false", "head.bias")]
    [InlineData(true, "moe.expert_biases", "false", "layers.1.moe.experts.down.bias", "layers.1.moe.experts.up.bias",
        "layers.1.moe.shared_experts.down.bias", "layers.1.moe.shared_experts.up.bias")]
    public void BiasKey_AddsOrTakesItsBiasesAlone(bool ofModel, string key, string value, params string[] biases)
    {
        RunConfig before = TestModels.Tiny with
        {
            Model = TestModels.Tiny.Model with { FeedForward = FeedForwardKind.Gelu, Biases = ofModel },
            Moe = TestModels.Tiny.Moe with { FirstDense = 1, SharedExperts = 1 },
        };
        string[] had = [.. Decoder.Plan(before).Select(p => p.Name)];
        string[] has = [.. Decoder.Plan(before.With(key, value)).Select(p => p.Name)];
        (string[] more, string[] fewer) = ofModel ? (had, has) : (has, had);
        Assert.Equal(biases.Order(StringComparer.Ordinal), more.Except(fewer).Order(StringComparer.Ordinal));
        Assert.Empty(fewer.Except(more));
    }

    [Fact]
    public void SharedHidden_IsTheSizeOfAllSharedExpertsTogether()
    {
        Parameter up = Decoder.Plan(FamilyModels.Qwen2).Single(p => p.Name == "layers.0.moe.shared_experts.up.weight");
        Assert.Equal((Shape)(37, 32), up.Shape);
    }

    [Fact]
    public void RouterBias_BeginsAtZero_TrainsAndDoesNotDecay()
    {
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, FamilyModels.GptOss);
        Parameter bias = model.Parameters.All.Single(p => p.Name == "layers.0.moe.router.bias");
        Assert.Equal((11, false, ModelPart.Router), (bias.Count, bias.Decays, bias.Part));
        Assert.All(backend.Read(bias.Data), value => Assert.Equal(0f, value));
    }

    [Theory]
    [InlineData("model.embedding_multiplier", "embedding.weight")]
    [InlineData("model.residual_multiplier", "attention.output.weight", "experts.down.weight")]
    [InlineData("model.logits_scaling", "head.weight")]
    public void Multiplier_IsThatOfTheWeightsItStandsBehind(string key, params string[] weights)
    {
        const float Factor = 0.375f;                             // exact, as its reciprocal is not
        float ofWeights = key == "model.logits_scaling" ? 1 / Factor : Factor;
        using CpuBackend backend = new(2);
        using Decoder multiplied = new(backend, TestModels.Tiny.With(key, "0.375")), scaled = new(backend, TestModels.Tiny);
        foreach (Parameter parameter in scaled.Parameters.All.Where(p => Array.Exists(weights, p.Name.EndsWith)))
            backend.Affine(parameter.Data, ofWeights, 0f, parameter.Count, parameter.Data);
        int[] ids = TestModels.Ids(32, TestModels.Tiny.Model.Vocabulary);
        float[] expected = TestModels.Logits(backend, scaled, ids, B: 2), actual = TestModels.Logits(backend, multiplied, ids, B: 2);
        using Decoder plain = new(backend, TestModels.Tiny);
        Assert.NotEqual(TestModels.Logits(backend, plain, ids, B: 2), actual);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-6f + 1e-5f * Math.Abs(expected[i]));
    }

    [Fact]
    public void LogitsScaling_DividesTheBiasOfTheHeadToo()
    {
        using CpuBackend backend = new(1);
        RunConfig config = FamilyModels.Granite with { Model = FamilyModels.Granite.Model with { LogitsScaling = 1 } };
        using Decoder plain = new(backend, config), scaled = new(backend, config.With("model.logits_scaling", "4"));
        foreach (Decoder model in (Decoder[])[plain, scaled])
        {
            Parameter bias = model.Parameters.All.Single(p => p.Name == "head.bias");
            backend.Write<float>([.. Enumerable.Range(0, bias.Count).Select(i => i / 8f)], bias.Data);
        }

        int[] ids = TestModels.Ids(5, config.Model.Vocabulary);
        Assert.Equal(
            TestModels.Logits(backend, plain, ids, B: 1).Select(logit => logit / 4), TestModels.Logits(backend, scaled, ids, B: 1));
    }

    [Fact]
    public void Multipliers_OfOne_AddNoKernel()
    {
        ModelSize plain = ModelSize.Of(TestModels.Tiny), granite = ModelSize.Of(TestModels.Tiny.With("model.residual_multiplier", "0.5"));
        Assert.Equal(plain.ForwardFlopsPerToken, granite.ForwardFlopsPerToken);
        Assert.True(granite.TrainingBytes > plain.TrainingBytes);
    }

    [Theory]
    [InlineData("gpt-oss")]
    [InlineData("qwen2-moe")]
    [InlineData("granite")]
    [InlineData("deepseek-v2")]
    public void Size_OfEveryFamily_CountsWhatIsBuilt(string name)
    {
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, TestModels.Named(name));
        ModelSize size = ModelSize.Of(TestModels.Named(name));
        Assert.Equal(model.Parameters.Count, size.TotalParameters);
        Assert.True(size.ActiveParameters < size.TotalParameters);
    }

    [Theory]
    [InlineData(29, 29)]
    [InlineData(29, 40)]
    public void Vocabulary_OfTheTokenizerOrMore_Stays(int tokenizer, int model) =>
        Assert.Equal(model, TestModels.Tiny.With("model.vocabulary", $"{model}").WithVocabulary(tokenizer).Model.Vocabulary);

    [Fact]
    public void Vocabulary_SmallerThanTheTokenizers_IsRefused()
    {
        RunConfig small = TestModels.Tiny.With("model.vocabulary", "28");
        string message = Assert.Throws<TinyMoEException>(() => small.WithVocabulary(29)).Message;
        Assert.Contains("model.vocabulary=28 is less than", message, StringComparison.Ordinal);
        Assert.Contains("29 symbols", message, StringComparison.Ordinal);
    }
}
