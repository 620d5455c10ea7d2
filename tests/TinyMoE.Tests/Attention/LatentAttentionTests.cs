using TinyMoE.Configuration;
using TinyMoE.Layers;

namespace TinyMoE.Tests.Attention;

/// <summary>Latent attention, the whole layer against <see cref="LatentReference"/>.</summary>
public sealed class LatentAttentionTests
{
    private static readonly ModelConfig Model = new() { Width = 12, Layers = 2, Context = 6 };

    private static readonly AttentionConfig Latent =
        new() { Kind = AttentionKind.Latent, Heads = 3, HeadSize = 8, RopeSize = 4, LatentRank = 7, ValueSize = 5 };

    private static readonly Dictionary<string, (ModelConfig Model, AttentionConfig Attention)> Cases = new()
    {
        ["plain queries"] = (Model, Latent),
        ["queries of a small vector"] = (Model, Latent with { QueryRank = 5 }),
        ["one head, one token"] = (
            Model with { Context = 1 },
            new AttentionConfig { Kind = AttentionKind.Latent, Heads = 1, HeadSize = 3, RopeSize = 2, LatentRank = 1, ValueSize = 1 }),
        ["values as large as keys"] = (Model, Latent with { ValueSize = 0 }),
        ["values larger than keys"] = (Model, Latent with { ValueSize = 11 }),
        ["size of a head from the width"] = (Model, Latent with { HeadSize = 0, RopeSize = 2 }),
        ["biases"] = (Model, Latent with { QueryRank = 5, Biases = true, OutputBias = BiasChoice.True }),
        ["biases of the model, not of the output"] = (
            Model with { Biases = true, Norm = NormKind.Layer }, Latent with { OutputBias = BiasChoice.False }),
        ["scale"] = (Model with { NormEpsilon = 0.5f }, Latent with { Scale = 0.11f, RopeTheta = 100 }),
        ["neighbours turn, scaled"] = (
            Model with { Context = 9 },
            Latent with
            {
                RopeInterleaved = true,
                RopeScaling = RopeScaling.Yarn,
                RopeFactor = 4,
                RopeOriginalContext = 5,
                RopeBetaFast = 1,
                RopeBetaSlow = 0.01f,
                RopeMscale = 1,
                RopeMscaleAllDim = 0.5f,
            }),
        ["large heads"] = (
            Model with { Context = 9 },
            new AttentionConfig { Kind = AttentionKind.Latent, Heads = 2, HeadSize = 33, RopeSize = 6, LatentRank = 8, ValueSize = 17 }),
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
        LatentReference reference = NewReference(name, layer);
        layer.AssertGradients(reference.Values, reference.Forward);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Cache_TokenByToken_AgreesWithTheWholeSequence(string name) => AssertCached(name, _ => 1);

    [Theory]
    [MemberData(nameof(Names))]
    public void Cache_InChunks_AgreesWithTheWholeSequence(string name)
    {
        AssertCached(name, start => start == 0 ? 3 : 2);
        AssertCached(name, start => start < 2 ? 1 : 3); // expands what single tokens left
    }

    [Fact]
    public void Cache_FewTokensAfterMany_AgreesWithTheWholeSequence()
    {
        // Long enough, and with heads so large, that two tokens do not expand what the cache has.
        AttentionConfig attention = Latent with { Heads = 2, HeadSize = 40, ValueSize = 30, LatentRank = 20 };
        using AttentionLayer layer = new(Model with { Context = 66 }, attention, B: 1);
        AssertCached(layer, start => start == 0 ? 60 : 2);
    }

    [Fact]
    public void Parameters_HaveTheSizesOfTheConfiguration()
    {
        using AttentionLayer plain = new(Model, Latent, B: 1);
        Assert.Equal(
            [
                "query.weight (24, 12)", "key_value_down.weight (11, 12)", "key_value_norm.weight (7)", "key_value_up.weight (27, 7)",
                "output.weight (12, 15)",
            ],
            NamesOf(plain));
        AttentionConfig attention = Latent with { QueryRank = 5, Biases = true, OutputBias = BiasChoice.True };
        using AttentionLayer small = new(Model with { Norm = NormKind.Layer, Biases = true }, attention, B: 1);
        Assert.Equal(
            [
                "query_down.weight (5, 12)", "query_down.bias (5)", "query_down_norm.weight (5)", "query_up.weight (24, 5)",
                "key_value_down.weight (11, 12)", "key_value_down.bias (11)", "key_value_norm.weight (7)", "key_value_up.weight (27, 7)",
                "output.weight (12, 15)", "output.bias (12)",
            ],
            NamesOf(small));
    }

    private static IEnumerable<string> NamesOf(AttentionLayer layer) =>
        layer.Parameters.Select(p => $"{AttentionLayer.NameOf(p)} {p.Shape}");

    private static void AssertCached(string name, Func<int, int> chunk)
    {
        using AttentionLayer layer = NewLayer(name);
        AssertCached(layer, chunk);
    }

    private static void AssertCached(AttentionLayer layer, Func<int, int> chunk)
    {
        float[] y = layer.ForwardWithCache(chunk);
        AttentionLayer.AssertClose([.. layer.Forward(Pass.Inference)[..y.Length].Select(v => (double)v)], y, 2e-5, "value");
    }

    private static AttentionLayer NewLayer(string name) => new(Cases[name].Model, Cases[name].Attention, B: 2);

    private static LatentReference NewReference(string name, AttentionLayer layer) =>
        new(Cases[name].Model, Cases[name].Attention, layer.Values);
}
