using TinyMoE.Backends.Cpu;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Inspect;

/// <summary>Small assignments whose statistics can be counted by hand.</summary>
public sealed class RoutingStatisticsTests : IDisposable
{
    private readonly CpuBackend backend = new(1);

    [Fact]
    public void Add_TwoBatches_CountsByHand()
    {
        RoutingStatistics statistics = new(4, keepTopExperts: true);
        Add(statistics, [0, 1, 1, 0, 2, 1], [0.75f, 0.25f, 0.5f, 0.5f, 1f, 0f], K: 2, E: 4);
        Add(statistics, [1, 2], [0.5f, 0.5f], K: 2, E: 4);

        Assert.Equal([2 / 8f, 4 / 8f, 2 / 8f, 0f], statistics.Load);
        AssertClose([1.25f / 4, 1.25f / 4, 1.5f / 4, 0f], statistics.Importance);
        Assert.Equal(1f, statistics.MaxViolation, 1e-6f);        // 4 choices, 2 on average
        Assert.Equal(1, statistics.Dead);
        Assert.Equal(0f, statistics.Dropped);
        Assert.Equal((0.75f + 0.5f + 1f + 0.5f) / 4, statistics.TopGate, 1e-6f);
        Assert.Equal((Entropy(0.75, 0.25) + Entropy(0.5, 0.5) + 0 + Entropy(0.5, 0.5)) / 4, statistics.GateEntropy, 1e-6);
        Assert.Equal([0, 0, 2, 1], statistics.TopExperts);       // the lower among equals
        float[][] together = [[0.5f, 0.5f, 0, 0], [0.5f, 1f, 0.5f, 0], [0, 0.5f, 0.5f, 0], [0, 0, 0, 0]];
        Assert.Equal(together, statistics.CoActivation);
        Assert.Equal((null, null, null), (statistics.Entropy, statistics.LogitNorm, statistics.LogSumExp));
    }

    [Fact]
    public void Add_Scores_HaveMeansOverTokens()
    {
        RoutingStatistics statistics = new(2);
        float[] logits = [3f, -4f, 0f, 0f];
        Add(statistics, [0, 1], [1f, 0.5f], K: 1, E: 2, logits: logits);
        double p = 1 / (1 + Math.Exp(-7));
        Assert.Equal((Entropy(p, 1 - p) + Math.Log(2)) / 2, statistics.Entropy!.Value, 1e-5);
        Assert.Equal(2.5f, statistics.LogitNorm!.Value, 1e-6f);
        Assert.Equal((3 + Math.Log(1 + Math.Exp(-7)) + Math.Log(2)) / 2, statistics.LogSumExp!.Value, 1e-6);
    }

    [Fact]
    public void Add_ProbabilityZero_IsNoNaN()
    {
        RoutingStatistics statistics = new(2);
        Add(statistics, [0], [1f], K: 1, E: 2, logits: [500f, -500f]);
        Assert.Equal(0f, statistics.Entropy!.Value, 1e-6f);
        Assert.Equal(500f, statistics.LogSumExp!.Value, 1e-3f);
    }

    [Fact]
    public void Add_FullExpert_CountsWhatWasWantedAndWhatWasDropped()
    {
        RoutingStatistics statistics = new(3, keepTopExperts: true);
        Add(statistics, [0, 0, 0, 1], [1f, 1f, 1f, 0.5f], K: 1, E: 3, offered: [0, 0, -1, 1]);
        Assert.Equal([0.75f, 0.25f, 0f], statistics.Load);
        Assert.Equal(0.25f, statistics.Dropped);
        Assert.Equal([0, 0, -1, 1], statistics.TopExperts);
        Assert.Equal(2.5f / 4, statistics.TopGate);
        AssertClose([2 / 2.5f, 0.5f / 2.5f, 0f], statistics.Importance);
    }

    [Fact]
    public void Add_Padding_CountsInNothing()
    {
        RoutingStatistics padded = new(2, domains: 1, keepTopExperts: true), alone = new(2, domains: 1, keepTopExperts: true);
        float[] logits = [1f, 2f, 9f, 9f, 3f, 1f, 9f, -9f];
        bool[] counts = [true, false, true, false];
        Add(padded, [0, -1, 1, -1], [1f, 1f, 0.5f, 1f], K: 1, E: 2, logits: logits, counts: counts, domains: [0, 0, 0, 0]);
        Add(alone, [0, 1], [1f, 0.5f], K: 1, E: 2, logits: [1f, 2f, 3f, 1f], domains: [0, 0]);
        Assert.Equal(alone.Load, padded.Load);
        Assert.Equal(alone.LoadOf(0), padded.LoadOf(0));
        Assert.Equal(alone.TopExperts, padded.TopExperts);
        Assert.Equal(alone.CoActivation, padded.CoActivation);
        Assert.Equal(Means(alone), Means(padded));
        static (float?, float?, float?, float, float) Means(RoutingStatistics s) =>
            (s.Entropy, s.LogitNorm, s.LogSumExp, s.TopGate, s.GateEntropy);
    }

    [Fact]
    public void LoadOf_IsTheShareOfADomainsChoices()
    {
        RoutingStatistics statistics = new(2, domains: 3);
        Add(statistics, [0, 0, 1, 1], [1f, 1f, 1f, 1f], K: 1, E: 2, domains: [0, 0, 0, 2]);
        AssertClose([2 / 3f, 1 / 3f], statistics.LoadOf(0));
        Assert.Equal([0f, 0f], statistics.LoadOf(1));
        Assert.Equal([0f, 1f], statistics.LoadOf(2));
    }

    [Fact]
    public void ChangedSince_CountsTokensWithAnotherTopExpert()
    {
        RoutingStatistics statistics = new(3, keepTopExperts: true);
        Add(statistics, [0, 1, 2, 1], [1f, 1f, 1f, 1f], K: 1, E: 3);
        Assert.Equal(0f, statistics.ChangedSince([0, 1, 2, 1]));
        Assert.Equal(0.75f, statistics.ChangedSince([0, 0, 1, 2]));
        Assert.Null(statistics.ChangedSince([]));
        Assert.Null(statistics.ChangedSince([0, 1]));
    }

    [Fact]
    public void CoActivation_ManyExperts_IsNotCounted() =>
        Assert.Null(new RoutingStatistics(RoutingStatistics.MostExpertsTogether + 1).CoActivation);

    [Fact]
    public void Nothing_IsZero()
    {
        RoutingStatistics none = new(2, domains: 1);
        Assert.Equal((0f, 0f, 0f, 0f, 2), (none.MaxViolation, none.TopGate, none.GateEntropy, none.Dropped, none.Dead));
        Assert.Equal([0f, 0f], none.Load);
        Assert.Equal([0f, 0f], none.Importance);
    }

    public void Dispose() => backend.Dispose();

    private static double Entropy(params double[] p) => -p.Sum(x => x == 0 ? 0 : x * Math.Log(x));

    private static void AssertClose(float[] expected, float[] actual) =>
        Assert.All(expected.Zip(actual, (a, b) => a - b), difference => Assert.Equal(0f, difference, 1e-6f));

    private void Add(
        RoutingStatistics statistics,
        int[] choices,
        float[] gates,
        int K,
        int E,
        int[]? offered = null,
        float[]? logits = null,
        bool[]? counts = null,
        int[]? domains = null)
    {
        int T = choices.Length / K;
        using Tape tape = backend.NewTape(recording: false);
        Assignment assignment = Assignment.FromChoices(tape.Ints(offered ?? choices), tape.Constant((T, K), gates), E);
        RouterScores scores = logits is null ? RouterScores.None : new RouterScores(tape.Constant((T, E), logits));
        TokenMask? mask = counts is null ? null : new TokenMask(tape, counts, T);
        statistics.Add(new Routing(assignment, scores, tape.Ints(choices), []), mask, domains);
    }
}
