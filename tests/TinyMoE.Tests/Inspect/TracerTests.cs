using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;
using TinyMoE.Tests.Moe;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Tests.Inspect;

/// <summary>Traces add up to what evaluations say, and every number of a token is that of a computation by hand.</summary>
public sealed class TracerTests : IDisposable
{
    private const double Tolerance = 1e-6;

    private readonly CpuBackend backend = new(2);

    public static TheoryData<string> Routers => [.. RouterModels.All];

    public void Dispose() => backend.Dispose();

    [Theory]
    [MemberData(nameof(Routers))]
    public void Trace_OfEveryRouter_AddsUpToItsEvaluation(string router) => RequireSums(RouterModels.Of(router));

    [Theory]
    [InlineData("switch")]
    [InlineData("gshard")]
    public void Trace_OfARouterThatDrops_AddsUpToItsEvaluation(string router)
    {
        RunConfig config = RouterModels.Of(router);
        RequireSums(config with { Moe = config.Moe with { CapacityFactor = 0.5f, EvalCapacityFactor = 0.5f, MinCapacity = 1 } });
    }

    [Theory]
    [InlineData("bfloat16")]
    [InlineData("plain" + TestModels.AllInBfloat16)]
    [InlineData("latent")]
    public void Trace_OfOtherModels_AddsUpToTheirEvaluations(string model) => RequireSums(TestModels.Named(model));

    [Fact]
    public void Trace_OfADenseModel_HasLossesAndNoLayers()
    {
        RunConfig config = TestModels.Tiny with { Moe = TestModels.Tiny.Moe with { Experts = 0 } };
        RequireSums(config);
    }

    [Fact]
    public void Trace_RanksAndPredictions_AreThoseOfTheLogits()
    {
        Corpus corpus = LabelledCorpus();
        RunConfig config = TestModels.Tiny.For(corpus);
        using Decoder model = RouterModels.Spread(backend, config);
        int T = config.Model.Context, V = config.Model.Vocabulary;
        foreach (TraceBatch batch in new Tracer(backend, model, predictions: 3).Trace(corpus.ForEvaluation(T, [0, 1, 2, 3, 4])))
        {
            float[] logits = TestModels.Logits(backend, model, batch.Ids, batch.Ids.Length / T);
            for (int n = 0; n < batch.Ids.Length; n++)
            {
                float[] row = logits[(n * V)..((n + 1) * V)];
                double sum = row.Sum(h => Math.Exp(h));
                int[] order = [.. Enumerable.Range(0, V).OrderByDescending(v => row[v]).ThenBy(v => v)];
                Assert.Equal(order[..3], batch.PredictedIds[(3 * n)..(3 * n + 3)]);
                Assert.Equal(Math.Exp(row[order[1]]) / sum, batch.PredictedProbabilities[3 * n + 1], 1e-5);
                Assert.Equal(Math.Log(sum) - row[batch.NextIds[n]], batch.NextLosses[n], 1e-5);
                if (n % T == 0)
                    Assert.Equal((float.NaN, 0), (batch.Losses[n], batch.Ranks[n]));
                if ((n + 1) % T == 0)
                    continue;
                Assert.Equal(batch.Ids[n + 1], batch.NextIds[n]);
                Assert.Equal(batch.NextLosses[n], batch.Losses[n + 1]);
                Assert.Equal(1 + Array.IndexOf(order, batch.Ids[n + 1]), batch.Ranks[n + 1]);
            }
        }
    }

    [Fact]
    public void Trace_OutputNorms_AreThoseOfTheExpertsAlone()
    {
        Corpus corpus = LabelledCorpus();
        RunConfig config = TestModels.Tiny.For(corpus);
        config = config with { Moe = config.Moe with { Experts = 1, Active = 1 } };
        using Decoder model = RouterModels.Spread(backend, config);
        Parameter attention = model.Parameters.All.Single(parameter => parameter.Name == "layers.0.attention.output.weight");
        backend.Fill(attention.Values, 0f);
        TraceBatch batch = new Tracer(backend, model).Trace(corpus.ForEvaluation(config.Model.Context, [0])).Single();

        // Attention adds nothing and the gate is 1: what the layer adds is what its expert computed.
        using Tape tape = backend.NewTape(recording: false);
        List<float[]> states = [];
        TokenBatch tokens = new(tape.Ints(batch.Ids), B: 1, batch.T);
        model.Forward(tape, tokens, Pass.Inference, onState: (_, state) => states.Add(state.ToArray()));
        int C = config.Model.Width;
        for (int n = 0; n < batch.Ids.Length; n++)
        {
            double squares = Enumerable.Range(n * C, C).Sum(i => Math.Pow((double)states[1][i] - states[0][i], 2));
            Assert.Equal(Math.Sqrt(squares), batch.Layers[0].OutputNorm[n], 1e-4 * Math.Sqrt(squares));
            Assert.Equal(1f, batch.Layers[0].Gate[n]);
        }
    }

    [Fact]
    public void Trace_OfSwitchHead_HasTheExpertsOfEveryHead()
    {
        Corpus corpus = LabelledCorpus();
        RunConfig config = TestModels.TinySwitchHead.For(corpus);
        using Decoder model = RouterModels.Spread(backend, config);
        TraceBatch batch = new Tracer(backend, model).Trace(corpus.ForEvaluation(config.Model.Context, [0, 1])).Single();
        int N = batch.Ids.Length, E = config.Attention.Experts, K = config.Attention.Active;
        Assert.Equal([(0, false), (0, true), (1, false), (1, true)], batch.Heads.Select(heads => (heads.Layer, heads.OfOutputs)));
        Assert.All(batch.Heads, heads =>
        {
            int H = heads.OfOutputs ? config.Attention.Heads : config.Attention.KvHeadsOrAll;
            Assert.Equal((H, K, E), (heads.Heads, heads.Active, heads.Experts));
            Assert.Equal(N * H * K, heads.Expert.Length);
            Assert.All(heads.Expert, e => Assert.InRange(e, 0, E - 1));
            Assert.All(heads.Expert.Chunk(K), chosen => Assert.Equal(K, chosen.Distinct().Count()));
            Assert.All(heads.Gate, gate => Assert.InRange(gate, 0f, 1f));
        });
    }

    [Theory]
    [InlineData(9)]
    [InlineData(16)]
    [InlineData(50)]
    public void Trace_OfAText_HasEachTokenOnce_WithTheScoresOfAScorer(int count)
    {
        Corpus corpus = LabelledCorpus();
        RunConfig config = TestModels.Tiny.For(corpus);
        using Decoder model = RouterModels.Spread(backend, config);
        int[] ids = TestModels.Ids(count, config.Model.Vocabulary);
        IReadOnlyList<TokenScore?> scores = new Scorer(backend, model).Score(ids);
        List<(int Id, float Loss, int Rank)> traced = [];
        foreach (TraceBatch batch in new Tracer(backend, model).Trace(ids))
        {
            IEnumerable<int> own = Enumerable.Range(0, batch.Ids.Length).Where(n => batch.Traced[n]);
            traced.AddRange(own.Select(n => (batch.Ids[n], batch.Losses[n], batch.Ranks[n])));
        }

        Assert.Equal(ids, traced.Select(token => token.Id));
        Assert.Equal((float.NaN, 0), (traced[0].Loss, traced[0].Rank));
        for (int n = 1; n < count; n++)
        {
            Assert.Equal(-scores[n]!.Value.LogProbability, traced[n].Loss, 1e-4);
            Assert.Equal(scores[n]!.Value.Rank, traced[n].Rank);
        }
    }

    [Fact]
    public void Trace_OfIdsThatAreNone_IsRefused()
    {
        Corpus corpus = LabelledCorpus();
        using Decoder model = new(backend, TestModels.Tiny.For(corpus));
        TinyMoEException e = Assert.Throws<TinyMoEException>(() => new Tracer(backend, model).Trace([1, 999]).ToList());
        Assert.StartsWith("the id 999 is none of the model's", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Trace_OfWeightsThatAreNotFinite_IsRefused()
    {
        Corpus corpus = LabelledCorpus();
        using Decoder model = new(backend, TestModels.Tiny.For(corpus));
        backend.Fill(model.Parameters.Weights.All, float.NaN);
        TinyMoEException e = Assert.Throws<TinyMoEException>(() => new Tracer(backend, model).Trace([1, 2]).ToList());
        Assert.StartsWith("The model's logits are not finite", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Traces a model and compares all sums with an evaluation of the same windows.</summary>
    private void RequireSums(RunConfig config)
    {
        Corpus corpus = LabelledCorpus();
        config = config.For(corpus);
        using Decoder model = RouterModels.Spread(backend, config);
        IEvaluationSource source = corpus.ForEvaluation(config.Model.Context, [.. Enumerable.Range(0, 21)]);
        (EvalReport report, IReadOnlyList<RoutingReport> routing) = Evaluation.Run(backend, model, source, step: 1);
        TraceBatch[] batches = [.. new Tracer(backend, model).Trace(source)];

        Assert.All(batches, batch => Assert.DoesNotContain(false, batch.Traced));
        Assert.Equal(report.Loss, batches.SelectMany(batch => batch.NextLosses).Average(loss => (double)loss), 1e-5);
        Assert.All(batches, batch => Assert.Equal(routing.Select(layer => layer.Layer), batch.Layers.Select(layer => layer.Layer)));
        for (int l = 0; l < routing.Count; l++)
            RequireSums(routing[l], [.. batches.Select(batch => batch.Layers[l])]);
    }

    private static void RequireSums(RoutingReport expected, TraceLayer[] layers)
    {
        int E = expected.Load.Length, N = layers.Sum(layer => layer.Offsets.Length - 1);
        double[] load = new double[E], importance = new double[E];
        double served = 0, choices = 0, topGate = 0;
        foreach (TraceLayer layer in layers)
        {
            Assert.Equal(E, layer.Experts);
            for (int n = 0; n + 1 < layer.Offsets.Length; n++)
            {
                Range own = layer.Offsets[n]..layer.Offsets[n + 1];
                Assert.Equal(layer.Expert[own].Length, layer.Expert[own].Distinct().Count());
                topGate += layer.Gate[own].DefaultIfEmpty(0f).Max();
            }

            for (int i = 0; i < layer.Expert.Length; i++)
            {
                (load[layer.Expert[i]], importance[layer.Expert[i]]) =
                    (load[layer.Expert[i]] + 1, importance[layer.Expert[i]] + layer.Gate[i]);
                (choices, served) = (choices + 1, served + (layer.Served[i] ? 1 : 0));
                Assert.Equal(layer.Served[i], float.IsFinite(layer.OutputNorm[i]));
                Assert.True(layer.Served[i] || layer.Gate[i] == 0f);
            }
        }

        double gates = importance.Sum();
        for (int e = 0; e < E; e++)
        {
            Assert.Equal(load[e] / choices, expected.Load[e], Tolerance);
            Assert.Equal(importance[e] / gates, expected.Importance[e], Tolerance);
        }

        Assert.Equal(1 - served / choices, expected.Dropped, Tolerance);
        Assert.Equal(topGate / N, expected.TopGate, Tolerance);
        RequireMean(expected.Entropy, layers.Select(layer => layer.Entropy));
        RequireMean(expected.LogitNorm, layers.Select(layer => layer.LogitNorm));
        Assert.All(layers, layer => Assert.Equal(expected.Entropy is null, layer.Probabilities is null));
    }

    private static void RequireMean(float? expected, IEnumerable<float[]?> values)
    {
        if (expected is null)
        {
            Assert.All(values, Assert.Null);
        }
        else
        {
            double mean = values.SelectMany(part => part!).Average(value => (double)value);
            Assert.Equal(expected.Value, mean, 1e-5 * Math.Max(1, expected.Value));
        }
    }

    /// <summary>Counting words, with a label that changes every 50 tokens.</summary>
    private static Corpus LabelledCorpus()
    {
        Corpus plain = TestModels.Corpus();
        int[] ids = [.. plain.Train.ToArray(), .. plain.Validation.ToArray()];
        List<Stretch> stretches = [.. Enumerable.Range(0, (ids.Length + 49) / 50)
            .Select(i => new Stretch(50 * i, Math.Min(50, ids.Length - 50 * i), i % 3, 0))];
        return new Corpus(plain.Tokenizer, TokenIds.Of(ids, plain.Tokenizer.Vocabulary), 0.1f, new LabelSet(["a", "b", "c"]), stretches);
    }
}
