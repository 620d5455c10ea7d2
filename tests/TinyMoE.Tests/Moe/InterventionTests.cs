using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;
using TinyMoE.Train;

namespace TinyMoE.Tests.Moe;

/// <summary>Routers that do without experts, or send every token to one; and the losses of that.</summary>
public sealed class InterventionTests
{
    private const int Width = 16, Tokens = 48, Sequences = 4;

    public static TheoryData<string> Routers => [.. RouterModels.All];

    /// <summary>Routers of which one without an expert is the same router with one expert less.</summary>
    public static TheoryData<string> Shrinkable =>
        ["top-k", "noisy-top-k", "switch", "gshard", "base", "sinkhorn", "soft", "task", "deepseek"];

    public static TheoryData<string> Models =>
        ["plain", "noisy", "switch-head", "heads", "latent", "bfloat16", "sinks", "plain" + TestModels.AllInBfloat16, "deepseek-tiny"];

    [Theory]
    [MemberData(nameof(Shrinkable))]
    public void Route_Ablated_IsTheRouterWithOneExpertLess(string name)
    {
        const int Gone = 2;
        MoeConfig moe = RouterModels.Of(name).Moe with { Experts = 5, Groups = 1, ActiveGroups = 1, BalanceLoss = 0, SequenceLoss = 0 };
        using RouterHarness whole = new(moe, Width), smaller = new(moe with { Experts = 4 }, Width);
        foreach ((string parameter, float[] values) in whole.Parameters)
            smaller.Set(parameter, Without(values, parameter.Contains("tasks", StringComparison.Ordinal) ? 1 : Width));
        if (moe.Router == RouterKind.DeepSeek)
        {
            float[] correction = [0.3f, -0.2f, 5f, 0.1f, -0.4f];  // the one that is gone has the largest
            whole.SetState("router.correction", correction);
            smaller.SetState("router.correction", Without(correction, 1));
        }

        RouterRun without = Run(whole, moe, [new ExpertId(0, Gone)]), expected = Run(smaller, moe with { Experts = 4 });

        Assert.Equal(0, without.Counts[Gone]);
        Assert.Equal(expected.Counts, without.Counts.Where((_, e) => e != Gone));
        AssertClose(expected.Gates, [.. without.Gates.Where((_, i) => i % 5 != Gone)]);

        float[] Without(float[] values, int size) => [.. values.Where((_, i) => i / size % 5 != Gone)];
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Route_Ablated_ChoosesAmongTheRest(string name)
    {
        MoeConfig moe = RouterModels.Of(name).Moe with { Experts = 4 };
        using RouterHarness router = new(moe, Width);
        RouterRun whole = Run(router, moe), without = Run(router, moe, [new ExpertId(0, 1), new ExpertId(0, 3)]);

        Assert.True(whole.Counts[1] > 0 && whole.Counts[3] > 0);
        Assert.Equal((0, 0), (without.Counts[1], without.Counts[3]));
        Assert.All(without.Choices, e => Assert.True(e is -1 or 0 or 2));
        bool drops = moe.Router is RouterKind.Hash or RouterKind.Uniform or RouterKind.ExpertChoice;
        if (!drops)                                              // as many as the token wants, if there are as many
            Assert.Equal(Tokens * Math.Min(2, whole.Counts.Sum() / Tokens), without.Counts.Sum());
        Assert.All(without.Gates, gate => Assert.True(float.IsFinite(gate)));
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Route_Forced_SendsEveryTokenToOne(string name)
    {
        MoeConfig moe = RouterModels.Of(name).Moe with { Experts = 4 };
        using RouterHarness router = new(moe, Width);
        RouterRun forced = Run(router, moe, forced: [new ExpertId(0, 2)]);

        Assert.Equal([0, 0, Tokens, 0], forced.Counts);
        bool isSigmoid = moe.Router is RouterKind.Base || (moe.Router == RouterKind.Sinkhorn && moe.Active == 1);
        for (int t = 0; t < Tokens && !isSigmoid; t++)
            Assert.Equal(1f, forced.Gates[t * 4 + 2], 1e-6f);
    }

    [Theory]
    [InlineData(RouterKind.TopK)]
    [InlineData(RouterKind.DeepSeek)]
    public void Route_FewerThanATokenWants_GivesAsManyAsThereAre(RouterKind kind)
    {
        MoeConfig moe = RouterModels.Of("top-k").Moe with { Router = kind, Experts = 4, Active = 3, Groups = 2, ActiveGroups = 2 };
        using RouterHarness router = new(moe, Width);
        RouterRun two = Run(router, moe, [new ExpertId(0, 0), new ExpertId(0, 1)]);

        Assert.Equal([0, 0, Tokens, Tokens], two.Counts);
        for (int t = 0; t < Tokens; t++)
            Assert.Equal(1f, two.Gates.AsSpan(t * 4, 4).ToArray().Sum(), 1e-6f);
    }

    [Theory]
    [InlineData("0:0,0:1,0:2,0:3", "all 4 experts of layer 0")]
    [InlineData("5:0", "the model has the layers 0 to 1")]
    [InlineData("1:4", "layer 1 has the experts 0 to 3")]
    public void Of_ImpossibleExperts_SaysWhy(string ablated, string expected)
    {
        IEnumerable<ExpertId> ids = ablated.Split(',').Select(text => ExpertId.TryParse(text, out ExpertId id) ? id : default);
        string message = Assert.Throws<TinyMoEException>(() => Interventions.Of(TestModels.Tiny, ids)).Message;
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Of_ForcedAndAblated_OrTwoForced_IsRefused()
    {
        ExpertId first = new(0, 0), second = new(0, 1);
        Assert.Throws<TinyMoEException>(() => Interventions.Of(TestModels.Tiny, [first], [second]));
        Assert.Throws<TinyMoEException>(() => Interventions.Of(TestModels.Tiny, [], [first, second]));
        Assert.Equal([0, 1], Interventions.Of(TestModels.Tiny, [first], [new ExpertId(1, 1)]).Layers);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void ForwardFrom_AnyLayer_HasTheBitsOfAWholePass(string name)
    {
        RunConfig config = TestModels.Named(name) is var named && named.Model.Vocabulary > 0 ? named
            : named with { Model = named.Model with { Vocabulary = 29 } };
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, config);
        foreach (Parameter copied in model.Parameters.All.Where(parameter => !parameter.Bfloat16.IsNone))
            backend.PackBfloat16(copied.Data, copied.Count, copied.Bfloat16);
        int[] ids = TestModels.Ids(3 * 11, config.Model.Vocabulary);
        for (int layer = 0; layer < config.Model.Layers; layer++)
        {
            Pass pass = Pass.Inference with { Interventions = Interventions.Of(config, [new ExpertId(layer, 1)]) };
            using Tape tape = backend.NewTape(recording: false), from = backend.NewTape(recording: false), whole = backend.NewTape(false);
            List<ExpertsInput> inputs = [];
            KeptRows kept = new();
            TokenBatch tokens = RouterModels.Tokens(tape, ids, 3);
            DecoderOutput before = model.Forward(tape, tokens, Pass.Inference with { Observer = kept }, onExperts: inputs.Add);
            float[] expected = model.Forward(whole, RouterModels.Tokens(whole, ids, 3), pass).Logits.ToArray();
            Assert.NotEqual(before.Logits.ToArray(), expected);

            DecoderOutput rest = model.ForwardFrom(from, tokens, pass, inputs[layer]);
            ExpertRows known = new(kept.Rows[layer], before.Routings[layer].Routing.Assignment);
            DecoderOutput some = model.ForwardFrom(from, tokens, pass, inputs[layer] with { Known = known });
            Assert.Equal(expected, rest.Logits.ToArray());
            AssertClose(expected, some.Logits.ToArray(), 1e-5f);  // products of a few rows add up in another order
            Assert.Equal(inputs.Select(input => input.Layer).Skip(layer), rest.Routings.Select(routing => routing.Layer));
        }
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Measure_EveryExpert_IsItsMaskedEvaluation(string name)
    {
        Corpus corpus = TestModels.Corpus();
        RunConfig config = RouterModels.Of(name).For(corpus);
        config = config with { Moe = config.Moe with { Tasks = 1 } };
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, config);
        IEvaluationSource source = corpus.ForEvaluation(config.Model.Context, [.. Enumerable.Range(0, 9)]);
        int told = 0;
        AblationReport map = AblationMap.Measure(
            backend, model, source, (made, all) => told = all - made);

        Assert.Equal((0, config.Model.Layers * config.Moe.Experts), (told, map.Experts.Count));
        Assert.Equal(Evaluation.Run(backend, model, source, 0).Report.Loss, map.Whole.Mean, 1e-6);
        foreach (ExpertAblation one in map.Experts)
        {
            Interventions without = Interventions.Of(config, [new ExpertId(one.Layer, one.Expert)]);
            EvaluationOutcome masked = Evaluation.Run(backend, model, source, 0, without);
            Assert.Equal(masked.Report.Loss, one.Loss.Mean, 1e-6);
        }
    }

    private static RouterRun Run(RouterHarness router, MoeConfig moe, ExpertId[]? ablated = null, ExpertId[]? forced = null)
    {
        Philox random = new(new RandomKey(3, RandomPurpose.Other, 1));
        float[] x = [.. Enumerable.Range(0, Tokens * Width).Select(i => random.Normal(i))];
        Interventions interventions = Interventions.Of(TestModels.Tiny with { Moe = moe }, ablated ?? [], forced);
        RouterTokens tokens = new(Sequences, [.. Enumerable.Range(0, Tokens).Select(t => t % 3)]);
        return router.Run(x, Pass.Inference with { Interventions = interventions }, tokens);
    }

    private static void AssertClose(float[] expected, float[] actual, float tolerance = 1e-6f)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], tolerance * Math.Max(1f, Math.Abs(expected[i])));
    }
}
