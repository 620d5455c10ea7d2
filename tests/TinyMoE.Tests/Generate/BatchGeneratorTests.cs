using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Generate;

/// <summary>Several texts at once: each is as it is alone, and one is no matter of the others.</summary>
public sealed class BatchGeneratorTests
{
    public static TheoryData<string> Models =>
    [
        "plain", "noisy", "switch-head", "heads", "latent", "bfloat16", "sinks", "linear", "dynamic", "llama3", "yarn",
        "plain" + TestModels.AllInBfloat16, "heads" + TestModels.AllInBfloat16, "latent" + TestModels.AllInBfloat16,
        "switch-head" + TestModels.AllInBfloat16,
    ];

    public static TheoryData<string> Routers => [.. RouterModels.All];

    public static TheoryData<string> PresetNames => [.. Presets.All.Select(preset => preset.Name)];

    [Theory]
    [MemberData(nameof(Models))]
    public void Texts_OfEveryAttention_AreThoseOfEachAlone(string name)
    {
        using CpuBackend backend = new(2);
        BatchTexts.RequireAsAlone(backend, TestModels.Named(name), [1, 3, 16]);
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Texts_OfEveryRouter_AreThoseOfEachAlone(string router)
    {
        using CpuBackend backend = new(2);
        BatchTexts.RequireAsAlone(backend, RouterModels.Of(router), [1, 3, 16]);
    }

    [Theory]
    [MemberData(nameof(PresetNames))]
    public void Texts_OfEveryPreset_AreThoseOfEachAlone(string name)
    {
        using CpuBackend backend = new(2);
        RunConfig config = Presets.Get(name);
        config = config with { Model = config.Model with { Vocabulary = 65, Layers = 2 } };
        BatchTexts.RequireAsAlone(backend, config, [17], more: 2);
    }

    [Fact]
    public void Texts_OfAModelThatDropsInEvaluation_AreThoseOfEachAlone()
    {
        using CpuBackend backend = new(2);
        RunConfig tiny = TestModels.Tiny;
        BatchTexts.RequireAsAlone(
            backend, tiny with { Moe = tiny.Moe with { EvalCapacityFactor = 0.5f, MinCapacity = 1, AllowNonCausal = true } }, [3]);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("switch-head")]
    [InlineData("latent")]
    [InlineData("mixtral-tiny")]
    [InlineData("plain" + TestModels.AllInBfloat16)]
    public void Logits_OfSixteen_AreTheSameBitsAsAlone(string name)
    {
        using CpuBackend backend = new(2);
        RunConfig config = TestModels.Named(name);
        if (config.Model.Vocabulary == 0)
            config = config with { Model = config.Model with { Vocabulary = 65 } };
        using Decoder model = TestModels.Spread(backend, config);
        using BatchGenerator batch = new(backend, model, slots: 16);
        BatchSequence[] sequences = [.. Enumerable.Range(0, 18).Select(i => batch.Add(BatchTexts.Request(config, i, scores: true)))];
        while (batch.Step())
        {
        }

        foreach (BatchSequence sequence in sequences)
        {
            BatchToken[] tokens = sequence.TokensFrom(0);
            double[][] scores = [.. tokens.Select(BatchTexts.InOrderOfIds)];
            Assert.Equal(BatchTexts.ScoresAlone(backend, model, sequence.Request, [.. tokens.Select(token => token.Id)]), scores);
            Assert.All(tokens, token => Assert.Contains(new TokenAlternative(token.Id, token.LogProbability!.Value), token.Alternatives!));
        }
    }

    /// <summary>The example of docs/library.md.</summary>
    [Fact]
    public void Example_OfTheDocs_WritesBothTexts()
    {
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        using BatchGenerator batch = new(backend, model, slots: 16);
        BatchSequence first = batch.Add(new BatchRequest { Prompt = [1, 2, 3], Count = 20 });
        BatchSequence second = batch.Add(new BatchRequest { Prompt = [4], Count = 30, Alternatives = 2 });
        int read = 0;
        while (batch.Step()) // one pass: a token of each text
        {
            foreach (BatchToken token in first.TokensFrom(read))
                Console.Write($"{token.Id} ");
            read = first.Count;
        }

        BatchToken last = second.TokensFrom(0)[^1];
        Console.WriteLine($"{second.End}: {last.LogProbability:F3}, and the likeliest was {last.Alternatives![0].Id}");
        Assert.Equal((20, 30), (read, second.Count));
    }

    [Fact]
    public void Texts_OfWritableIds_HaveNoOther()
    {
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        int[] writable = [2, 3, 7, 11, 13];
        BatchRequest[] requests = [.. Enumerable.Range(0, 6).Select(i => BatchTexts.Request(TestModels.Tiny, i))];
        int[][] together = BatchTexts.Together(backend, model, 4, requests, writable);
        Assert.Equal([.. requests.Select(request => BatchTexts.Alone(backend, model, request, writable))], together);
        Assert.All(together.SelectMany(ids => ids), id => Assert.Contains(id, writable));
    }
}
