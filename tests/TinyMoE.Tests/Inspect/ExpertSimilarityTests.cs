using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.RandomNumbers;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Inspect;

/// <summary>How alike experts are: matchings against all permutations, and experts that are alike by construction.</summary>
public sealed class ExpertSimilarityTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(7)]
    public void Exact_IsTheBestOfAllPermutations(int F)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            float[] similarities = Random(F * F, seed);
            int[] matching = NeuronMatching.Exact(similarities, F);
            Assert.Equal(Enumerable.Range(0, F), matching.Order());
            double best = Permutations([.. Enumerable.Range(0, F)]).Max(order => Sum(similarities, order));
            Assert.Equal(best, Sum(similarities, matching), 1e-5);
            Assert.True(Sum(similarities, NeuronMatching.Greedy(similarities, F)) <= best + 1e-5);
        }
    }

    [Theory]
    [InlineData("exact", 300)]
    [InlineData("greedy", 300)]
    public void Matching_OfPermutedOnes_FindsThem(string how, int F)
    {
        int[] order = [.. Enumerable.Range(0, F).Select(f => (f * 7 + 3) % F)];
        float[] similarities = Random(F * F, 1);
        for (int f = 0; f < F; f++)
            similarities[f * F + order[f]] = 50 + f;
        Assert.Equal(order, how == "exact" ? NeuronMatching.Exact(similarities, F) : NeuronMatching.Greedy(similarities, F));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    public void Measure_AnExpertWithItsNeuronsInAnotherOrder_IsTheSameAfterMatching(string name)
    {
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Named(name).For(corpus);
        using CpuBackend backend = new(2);
        using Decoder model = RouterModels.Spread(backend, config);
        MakeThirdAShuffledFirst(backend, model, config.Model.Width, config.Moe.Hidden);
        IEvaluationSource source = corpus.ForEvaluation(config.Model.Context, [0, 1, 2]);
        LayerSimilarity layer = ExpertSimilarity.Measure(backend, model, source)[1];

        Assert.Equal((1, true), (layer.Layer, layer.IsExact));
        Assert.InRange(layer.Weights[0][2], -0.2f, 0.4f);
        Assert.Equal(1f, layer.Matched[0][2], 1e-5f);
        Assert.Equal(layer.Matched[0][2], layer.Matched[2][0]);
        Assert.InRange(layer.Matched[0][1], layer.Weights[0][1], 0.7f);
        for (int e = 0; e < 4; e++)
        {
            Assert.Equal((1f, 1f), (layer.Weights[e][e], layer.Matched[e][e]));
            Assert.True(layer.Outputs![e][e] is 0f or 1f);       // 0 where it served no token
        }

        Assert.All(layer.Outputs!.SelectMany(row => row), cosine => Assert.InRange(cosine, -1.00001f, 1.00001f));
        Assert.Null(ExpertSimilarity.Measure(backend, model)[0].Outputs);
    }

    /// <summary>Expert 2 of layer 1 gets the neurons of expert 0 in another order, biases aside.</summary>
    private static void MakeThirdAShuffledFirst(CpuBackend backend, Decoder model, int C, int F)
    {
        foreach (Parameter parameter in model.Parameters.All)
        {
            if (!parameter.Name.StartsWith("layers.1.moe.experts.", StringComparison.Ordinal)
                || !parameter.Name.EndsWith(".weight", StringComparison.Ordinal))
            {
                continue;
            }

            bool isDown = parameter.Name.Contains(".down.", StringComparison.Ordinal);
            float[] first = backend.Read(parameter.Data.Slice(0, F * C)), third = new float[F * C];
            for (int f = 0; f < F; f++)
            {
                int from = (f * 5 + 2) % F;                      // F = 24
                for (int c = 0; c < C; c++)
                    third[isDown ? c * F + f : f * C + c] = first[isDown ? c * F + from : from * C + c];
            }

            backend.Write<float>(third, parameter.Data.Slice(2 * F * C, F * C));
        }
    }

    private static double Sum(float[] similarities, int[] order) =>
        order.Select((column, row) => (double)similarities[row * order.Length + column]).Sum();

    private static IEnumerable<int[]> Permutations(int[] items) => items.Length <= 1 ? [items]
        : items.SelectMany(first => Permutations([.. items.Where(item => item != first)]).Select(rest => (int[])[first, .. rest]));

    private static float[] Random(int count, int seed)
    {
        Philox random = new(new RandomKey((ulong)seed, RandomPurpose.Other, Step: 2));
        return [.. Enumerable.Range(0, count).Select(i => random.Normal(i))];
    }
}
