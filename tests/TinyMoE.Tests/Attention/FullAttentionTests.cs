using TinyMoE.Configuration;
using TinyMoE.Families;
using TinyMoE.Layers;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Attention;

/// <summary>All that attention can be configured to be, a whole layer against its formulas in double precision.</summary>
public sealed class FullAttentionTests
{
    private static readonly ModelConfig Model = new() { Width = 12, Layers = 2, Context = 6 };

    private static readonly AttentionConfig Grouped = new() { Heads = 4, KvHeads = 2, HeadSize = 4 };

    private static readonly Dictionary<string, (ModelConfig Model, AttentionConfig Attention, int Layer)> Cases = new()
    {
        ["plain"] = (Model, new AttentionConfig { Heads = 3 }, 0),
        ["large heads"] = (Model, new AttentionConfig { Heads = 2, KvHeads = 1, HeadSize = 10 }, 0),
        ["small odd heads"] = (Model with { Positions = PositionKind.Learned }, new AttentionConfig { Heads = 5, HeadSize = 3 }, 0),
        ["biases of queries, keys and values"] = (Model, new AttentionConfig { Heads = 2, KvHeads = 1, Biases = true }, 0),
        ["all biases"] = (Model, Grouped with { Biases = true, OutputBias = BiasChoice.True }, 0),
        ["biases of the model, not of the output"] = (Model with { Biases = true }, Grouped with { OutputBias = BiasChoice.False }, 0),
        ["norm of the whole"] = (Model, Grouped with { QueryKeyNorm = QueryKeyNorm.Whole }, 0),
        ["norm of each head"] = (Model, Grouped with { QueryKeyNorm = QueryKeyNorm.PerHead }, 0),
        ["layer norm of each head"] = (
            Model with { Norm = NormKind.Layer, Biases = true }, Grouped with { Biases = true, QueryKeyNorm = QueryKeyNorm.PerHead }, 0),
        ["scale"] = (Model, new AttentionConfig { Heads = 2, KvHeads = 1, HeadSize = 8, Scale = 0.11f, RopeTheta = 100 }, 0),
        ["linear scaling"] = (Model, new AttentionConfig { Heads = 3, RopeScaling = RopeScaling.Linear, RopeFactor = 3 }, 0),
        ["dynamic scaling"] = (
            Model,
            new AttentionConfig { Heads = 3, KvHeads = 1, RopeScaling = RopeScaling.Dynamic, RopeFactor = 3, RopeOriginalContext = 4 }, 0),
        ["llama3 scaling"] = (
            Model,
            new AttentionConfig { Heads = 3, HeadSize = 8, RopeTheta = 10, RopeScaling = RopeScaling.Llama3, RopeFactor = 3 }, 0),
        ["yarn"] = (
            Model,
            new AttentionConfig
            {
                Heads = 3,
                HeadSize = 8,
                RopeTheta = 10,
                RopeScaling = RopeScaling.Yarn,
                RopeFactor = 3,
                RopeBetaFast = 2,
                RopeBetaSlow = 0.5f,
            }, 0),
        ["part of an odd head"] = (Model, new AttentionConfig { Heads = 3, HeadSize = 7, RopeSize = 4 }, 0),
        ["neighbours"] = (Model, new AttentionConfig { Heads = 3, KvHeads = 1, HeadSize = 6, RopeInterleaved = true }, 0),
        ["neighbours in part of a head, dynamic"] = (
            Model,
            Grouped with
            {
                HeadSize = 6,
                RopeSize = 4,
                RopeInterleaved = true,
                RopeScaling = RopeScaling.Dynamic,
                RopeFactor = 2,
                RopeOriginalContext = 3,
            }, 0),
        ["clipped"] = (Model, new AttentionConfig { Heads = 3, Biases = true, Clip = 0.9f }, 0),
        ["clipped behind norms of the whole"] = (Model, Grouped with { QueryKeyNorm = QueryKeyNorm.Whole, Clip = 0.4f }, 0),
        ["clipped behind norms of each head"] = (Model, Grouped with { QueryKeyNorm = QueryKeyNorm.PerHead, Clip = 0.4f }, 0),
        ["sinks"] = (Model, Grouped with { Sinks = true }, 0),
        ["sinks in a window, yarn"] = (
            Model,
            Grouped with
            {
                Sinks = true,
                Window = new PerLayer(3, 0),
                RopeTheta = 10,
                RopeScaling = RopeScaling.Yarn,
                RopeFactor = 3,
                RopeTruncate = false,
                RopeBetaFast = 2,
                RopeBetaSlow = 0.5f,
                Scale = 0.3f,
            }, 0),
        ["weights and biases side by side"] = (
            Model with { Width = 16 }, new AttentionConfig { Heads = 4, KvHeads = 2, HeadSize = 8, Biases = true }, 0),
        ["heads of 16, six in a width of 12"] = (Model, new AttentionConfig { Heads = 6, KvHeads = 2, HeadSize = 16 }, 0),
        ["window of its layer"] = (Model, new AttentionConfig { Heads = 2, Window = new PerLayer(1, 3) }, 1),
        ["no window in its layer"] = (Model, new AttentionConfig { Heads = 2, Window = new PerLayer(3, 0) }, 1),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Forward_AgreesWithDoubleReference(string name)
    {
        using AttentionLayer layer = NewLayer(name);
        AttentionLayer.AssertClose(NewReference(name, layer).Forward(), layer.Forward(Pass.Inference), 2e-5, "value");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_AgreesWithCentralDifferencesOfReference(string name)
    {
        using AttentionLayer layer = NewLayer(name);
        AttentionReference reference = NewReference(name, layer);
        layer.AssertGradients(reference.Values, reference.Forward);
    }

    /// <summary>Queries, keys and values of one product, as on a card; where the configuration does not allow that, as ever.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Joined_GivesTheBitsOfThreeProducts_AndTheirGradients(string name)
    {
        using AttentionLayer layer = NewLayer(name, joins: true), apart = NewLayer(name);
        Assert.Equal(apart.Forward(Pass.Inference), layer.Forward(Pass.Inference));
        Dictionary<string, float[]> gradients = layer.Gradients(layer.X), expected = apart.Gradients(apart.X);
        Assert.Equal(expected.Keys, gradients.Keys);
        foreach ((string parameter, float[] gradient) in expected) // that of x is one sum, not three
            AttentionLayer.AssertClose([.. gradient.Select(g => (double)g)], gradients[parameter], 1e-5, parameter);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Cache_TokenByToken_AgreesWithTheWholeSequence(string name)
    {
        using AttentionLayer layer = NewLayer(name);
        float[] y = layer.ForwardByToken();
        AttentionLayer.AssertClose([.. layer.Forward(Pass.Inference)[..y.Length].Select(v => (double)v)], y, 1e-5, "value");
    }

    [Fact]
    public void Parameters_HaveTheSizesOfTheConfiguration()
    {
        AttentionConfig attention = Grouped with
        {
            Heads = 6,
            Biases = true,
            OutputBias = BiasChoice.True,
            QueryKeyNorm = QueryKeyNorm.Whole,
        };
        using AttentionLayer layer = new(Model, attention, B: 1);
        Assert.Equal(
            [
                "query.weight (24, 12)", "query.bias (24)", "key.weight (8, 12)", "key.bias (8)",
                "query_norm.weight (24)", "key_norm.weight (8)",
                "value.weight (8, 12)", "value.bias (8)", "output.weight (12, 24)", "output.bias (12)",
            ],
            layer.Parameters.Select(p => $"{AttentionLayer.NameOf(p)} {p.Shape}"));
    }

    [Fact]
    public void Parameters_OfSinks_AreOnePerHead_ZeroAtFirst_AndDoNotDecay()
    {
        using AttentionLayer layer = new(Model, Grouped with { Sinks = true }, B: 1);
        Parameter sinks = Assert.Single(layer.Parameters, p => AttentionLayer.NameOf(p) == "sinks");
        Assert.Equal("(4)", sinks.Shape.ToString());
        Assert.False(sinks.Decays);
        Assert.Equal(ElementType.Float32, sinks.Precision);
        Assert.Equal("model.layers.0.self_attn.sinks", Assert.Single(TensorNames.Of(Model).Of(sinks)).Name);
        using AttentionLayer plain = NewLayer("plain");
        Assert.DoesNotContain(plain.Parameters, p => AttentionLayer.NameOf(p) == "sinks");
    }

    [Fact]
    public void QueryKeyNorm_WholeAndPerHead_Differ()
    {
        using AttentionLayer whole = NewLayer("norm of the whole"), each = NewLayer("norm of each head");
        foreach (string name in (string[])["query.weight", "key.weight", "value.weight", "output.weight"])
            each[name] = whole[name];
        foreach (AttentionLayer layer in (AttentionLayer[])[whole, each])
        {
            layer["query_norm.weight"] = [.. layer["query_norm.weight"].Select(_ => 1f)];
            layer["key_norm.weight"] = [.. layer["key_norm.weight"].Select(_ => 1f)];
        }

        Assert.NotEqual(whole.Forward(Pass.Inference), each.Forward(Pass.Inference));
    }

    private static AttentionLayer NewLayer(string name, bool joins = false) =>
        new(Cases[name].Model, Cases[name].Attention, B: 2, Cases[name].Layer, joins);

    private static AttentionReference NewReference(string name, AttentionLayer layer)
    {
        (ModelConfig model, AttentionConfig attention, int index) = Cases[name];
        IReadOnlyList<int> windows = attention.Window.Values;
        return new(model, attention, windows[index % windows.Count], layer.Values);
    }
}
