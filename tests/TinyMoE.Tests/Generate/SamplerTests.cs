using TinyMoE.Backends;
using TinyMoE.Generate;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Generate;

/// <summary>How a token is chosen: the right distribution, and the very token that the rules, done slowly, choose.</summary>
public sealed class SamplerTests
{
    [Theory]
    [InlineData(1f, 0, 1f, new[] { 0.1, 0.2, 0.3, 0.4 })]
    [InlineData(1f, 2, 1f, new[] { 0, 0, 3.0 / 7, 4.0 / 7 })]
    [InlineData(1f, 0, 0.65f, new[] { 0, 0, 3.0 / 7, 4.0 / 7 })]
    [InlineData(0.5f, 0, 1f, new[] { 1.0 / 30, 4.0 / 30, 9.0 / 30, 16.0 / 30 })]
    [InlineData(0f, 0, 1f, new[] { 0.0, 0, 0, 1 })]
    public void Choose_DrawsFromTheRightDistribution(float temperature, int topK, float topP, double[] expected)
    {
        float[] logits = [MathF.Log(0.1f), MathF.Log(0.2f), MathF.Log(0.3f), MathF.Log(0.4f)];
        Sampler sampler = new(new SamplingOptions { Temperature = temperature, TopK = topK, TopP = topP }.Rules, 4);
        const int Draws = 20000;
        int[] counts = new int[4];
        for (int i = 0; i < Draws; i++)
            counts[sampler.Choose(logits, i)]++;
        for (int v = 0; v < 4; v++)
            Assert.Equal(expected[v], (double)counts[v] / Draws, 0.015);
    }

    [Fact]
    public void Choose_EqualLogits_GreedyTakesTheLowestToken()
    {
        Sampler sampler = new(new SamplingOptions { Temperature = 0 }.Rules, 40);
        float[] logits = new float[40];
        logits[7] = logits[31] = 2f;
        Assert.Equal(7, sampler.Choose(logits, 0));
    }

    [Fact]
    public void Penalize_DividesPositiveMultipliesNegative()
    {
        float[] logits = [2f, -2f, 2f, -2f, 0f];
        Sampler.Penalize(logits, [0, 1, 4], 4f);
        Assert.Equal([0.5f, -8f, 2f, -2f, 0f], logits);
    }

    [Theory]
    [InlineData(0.6f, 1f, 0, new[] { 0, 0, 3.0 / 7, 4.0 / 7 })]  // 0.4 * 0.6 = 0.24
    [InlineData(0.5f, 1f, 0, new[] { 0, 2.0 / 9, 3.0 / 9, 4.0 / 9 })]
    [InlineData(0.5f, 0.65f, 0, new[] { 0, 0, 3.0 / 7, 4.0 / 7 })]
    [InlineData(1f, 1f, 0, new[] { 0, 0, 0, 1.0 })]
    [InlineData(0f, 1f, 3, new[] { 0, 2.0 / 9, 3.0 / 9, 4.0 / 9 })]
    public void Choose_MinP_DrawsFromTheRightDistribution(float minP, float topP, int topK, double[] expected)
    {
        float[] logits = [MathF.Log(0.1f), MathF.Log(0.2001f), MathF.Log(0.3f), MathF.Log(0.4f)];
        Sampler sampler = new(new SamplingOptions { Temperature = 1, MinP = minP, TopP = topP, TopK = topK }.Rules, 4);
        int[] counts = new int[4];
        for (int i = 0; i < 20000; i++)
            counts[sampler.Choose(logits, i)]++;
        for (int v = 0; v < 4; v++)
            Assert.Equal(expected[v], counts[v] / 20000.0, 0.015);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(256)]
    [InlineData(5000)]
    public void Choose_ByAnyRules_IsTheTokenOfTheRulesDoneSlowly(int vocabulary)
    {
        Random random = new(vocabulary);
        foreach (int topK in new[] { 0, 1, 3, 50 })
        {
            foreach (float topP in new[] { 1f, 0.9f, 0.3f })
            {
                foreach (float minP in new[] { 0f, 0.1f })
                {
                    float temperature = random.Next(3) switch { 0 => 0.05f, 1 => 1f, _ => 3f };
                    SamplingRules rules = new SamplingOptions
                    {
                        Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, Seed = (ulong)random.Next(),
                    }.Rules;
                    Sampler sampler = new(rules, vocabulary);
                    for (int index = 0; index < 20; index++)
                    {
                        float[] logits = Logits(random, vocabulary);
                        Assert.Equal(Slowly(logits, rules, index), sampler.Choose(logits, index));
                    }
                }
            }
        }
    }

    [Fact]
    public void Sort_OfAllKindsOfNumbers_IsByLogitThenByToken()
    {
        LikeliestFirst ranking = new(12);
        float[] logits = [0f, -0f, float.MaxValue, float.Epsilon, -float.Epsilon, -3f, 2f, float.MinValue, 2f, -0f, 1f, -3f];
        int[] expected = [2, 6, 8, 10, 3, 0, 1, 9, 4, 5, 11, 7];
        for (int count = 1; count <= 12; count++)
            Assert.Equal(expected[..count], ranking.Sort(logits, count).ToArray());
    }

    /// <summary>Logits of all sizes, with equal ones, with zeros of both signs, and of them all equal.</summary>
    private static float[] Logits(Random random, int count)
    {
        float scale = random.Next(4) switch { 0 => 0f, 1 => 0.1f, 2 => 5f, _ => 200f };
        float[] logits = [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5) * scale)];
        for (int i = 0; i < count / 4; i++)
            logits[random.Next(count)] = logits[random.Next(count)];
        logits[random.Next(count)] = -0f;
        logits[random.Next(count)] = 0f;
        return logits;
    }

    /// <summary>The same choice by a sort that compares, and sums over all that are kept.</summary>
    private static int Slowly(float[] logits, SamplingRules rules, int index)
    {
        int[] order = [.. Enumerable.Range(0, logits.Length).OrderByDescending(v => logits[v] + 0f)]; // keeps the order of equals
        int kept = rules.TopK > 0 ? Math.Min(rules.TopK, order.Length) : order.Length;
        double largest = logits[order[0]];
        double[] weights = [.. order.Take(kept).Select(v => (double)(float)Math.Exp((logits[v] - largest) / rules.Temperature))];
        if (rules.TopP < 1f)
        {
            double whole = weights.Sum(), nucleus = 0;
            int last = Array.FindIndex(weights, weight => (nucleus += weight) >= rules.TopP * whole);
            kept = last < 0 ? kept : last + 1;
        }

        kept = rules.MinP > 0f ? Math.Max(1, weights.Take(kept).TakeWhile(weight => weight >= rules.MinP).Count()) : kept;
        double point = new Philox(rules.Key(index)).Uniform(0) * weights.Take(kept).Sum();
        int chosen = Array.FindIndex(weights, 0, kept, weight => (point -= weight) < 0);
        return order[chosen < 0 ? kept - 1 : chosen];
    }
}
