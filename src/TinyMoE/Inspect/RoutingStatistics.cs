using System.Numerics.Tensors;
using TinyMoE.Backends;
using TinyMoE.Layers;
using TinyMoE.Moe;
using TinyMoE.Ops;

namespace TinyMoE.Inspect;

/// <summary>
/// How the router of one layer spread tokens over its E experts, gathered over the batches of an evaluation. Padding counts in nothing.
/// </summary>
public sealed class RoutingStatistics
{
    /// <summary>With more experts than this, which of them are active together is not counted.</summary>
    public const int MostExpertsTogether = 256;

    private const int NoExpert = -1;

    private readonly int experts;
    private readonly long[] counts;
    private readonly double[] importance;
    private readonly long[]? together;                           // (E, E)
    private readonly long[] byDomain;                            // (domains, E)
    private readonly List<int>? topExperts;
    private long tokens, scored, served;
    private double entropy, gateEntropy, topGate, logitNorm, logSumExp;
    private bool hasProbabilities, hasLogits;

    /// <summary>
    /// Nothing gathered yet, for <paramref name="experts"/> experts; loads apart for each of <paramref name="domains"/>;
    /// <see cref="TopExperts"/> only if <paramref name="keepTopExperts"/>.
    /// </summary>
    public RoutingStatistics(int experts, int domains = 0, bool keepTopExperts = false)
    {
        this.experts = experts;
        (counts, importance, byDomain) = (new long[experts], new double[experts], new long[domains * experts]);
        together = experts <= MostExpertsTogether ? new long[experts * experts] : null;
        topExperts = keepTopExperts ? [] : null;
    }

    /// <summary>Each expert's share of the choices, before any was full; they sum to 1.</summary>
    public float[] Load => Shares(counts);

    /// <summary>Each expert's share of the gates; they sum to 1.</summary>
    public float[] Importance =>
        importance.Sum() is > 0 and double sum ? [.. importance.Select(gates => (float)(gates / sum))] : new float[experts];

    /// <summary>
    /// Mean over tokens of the entropy of the router's probabilities, in nats; log E when it is undecided, null for a router that has none.
    /// </summary>
    public float? Entropy => hasProbabilities ? Mean(entropy, tokens) : null;

    /// <summary>
    /// Mean over tokens with a gate of the entropy of their gates divided by their sum, in nats; log K when they are equal.
    /// </summary>
    public float GateEntropy => Mean(gateEntropy, scored);

    /// <summary>Mean over tokens of the largest gate; 0 for a token that no expert serves.</summary>
    public float TopGate => Mean(topGate, tokens);

    /// <summary>(max − mean)/mean of the choices per expert; 0 when balanced (Wang et al. 2024).</summary>
    public float MaxViolation => counts.Sum() == 0 ? 0f : (float)(counts.Max() / counts.Average() - 1);

    /// <summary>Experts that no token chose.</summary>
    public int Dead => counts.Count(c => c == 0);

    /// <summary>Share of the choices that no expert served, because it was full.</summary>
    public float Dropped => counts.Sum() is > 0 and long wanted ? (float)(1 - (double)served / wanted) : 0f;

    /// <summary>Mean over tokens of ‖h‖₂, h the logits; null for a router that has none.</summary>
    public float? LogitNorm => hasLogits ? Mean(logitNorm, tokens) : null;

    /// <summary>Mean over tokens of log Σ exp h, h the logits; null for a router that has none.</summary>
    public float? LogSumExp => hasLogits ? Mean(logSumExp, tokens) : null;

    /// <summary>
    /// (E, E): the share of tokens that chose both experts; on the diagonal that chose the one. Null beyond
    /// <see cref="MostExpertsTogether"/> experts.
    /// </summary>
    public float[][]? CoActivation => together?.Chunk(experts).Select(row => row.Select(count => Mean(count, tokens)).ToArray()).ToArray();

    /// <summary>The expert of each token's largest gate, the lower among equals, −1 for none; in the order of the tokens.</summary>
    public IReadOnlyList<int> TopExperts => topExperts ?? [];

    /// <summary>Each expert's share of the choices of one domain's tokens (E).</summary>
    public float[] LoadOf(int domain) => Shares(byDomain.AsSpan(domain * experts, experts));

    /// <summary>
    /// The share of tokens whose top expert was another one in <paramref name="before"/>; null where those are not the same tokens.
    /// </summary>
    public float? ChangedSince(IReadOnlyList<int> before) => TopExperts.Count == 0 || before.Count != TopExperts.Count
        ? null
        : Mean(TopExperts.Zip(before).Count(pair => pair.First != pair.Second), before.Count);

    /// <summary>
    /// Adds a batch of N tokens; waits for the device. <paramref name="domains"/>: the domain of each (N), if there are any.
    /// </summary>
    public void Add(Routing routing, TokenMask? mask = null, ReadOnlySpan<int> domains = default)
    {
        Backend backend = routing.Assignment.Gates.Tape.Backend;
        int N = routing.Assignment.TokenCount, K = routing.Choices.Length / N;
        int[] choices = backend.Read(routing.Choices);           // (N, K)
        float[]? counting = mask?.Column.ToArray();              // (N)
        HostAssignment gates = new(routing.Assignment);
        Scores scores = new(routing.Scores);
        (hasLogits, hasProbabilities) = (scores.Logits is not null, scores.Probabilities is not null);
        for (int t = 0; t < N; t++)
        {
            if (counting?[t] == 0f)
                continue;
            tokens++;
            AddChoices(choices.AsSpan(t * K, K), domains.IsEmpty ? -1 : domains[t]);
            AddGates(gates, t);
            AddScores(scores, t);
        }
    }

    private void AddChoices(ReadOnlySpan<int> choices, int domain)
    {
        foreach (int e in choices)
        {
            if (e < 0)
                continue;
            counts[e]++;
            if (domain >= 0)
                byDomain[domain * experts + e]++;
            if (together is null)
                continue;
            foreach (int other in choices)
            {
                if (other >= 0)
                    together[e * experts + other]++;
            }
        }
    }

    private void AddGates(HostAssignment gates, int t)
    {
        ReadOnlySpan<int> rows = gates.RowsOf(t);
        int top = NoExpert;
        float largest = 0f, sum = 0f;
        foreach (int row in rows)
        {
            float gate = gates.Gates[row];
            int e = gates.Experts[row];
            (sum, importance[e]) = (sum + gate, importance[e] + gate);
            if (top == NoExpert || gate > largest || (gate == largest && e < top))
                (top, largest) = (e, gate);
        }

        served += rows.Length;
        topGate += largest;
        topExperts?.Add(top);
        if (!(sum > 0f))
            return;

        // H = −Σ (g/s)·log(g/s) with s = Σ g
        scored++;
        foreach (int row in rows)
        {
            double share = gates.Gates[row] / sum;
            gateEntropy -= share > 0 ? share * Math.Log(share) : 0;
        }
    }

    private void AddScores(Scores scores, int t)
    {
        if (scores.Probabilities is { } p)
        {
            for (int i = t * experts; i < (t + 1) * experts; i++)
                entropy -= (double)p[i] * scores.Logarithms[i];
        }

        if (scores.Logits is not { } h)
            return;
        double squares = 0;
        for (int i = t * experts; i < (t + 1) * experts; i++)
            squares += (double)h[i] * h[i];
        logitNorm += Math.Sqrt(squares);
        logSumExp += scores.LogSumExp[t];
    }

    private static float Mean(double sum, long count) => count == 0 ? 0f : (float)(sum / count);

    private static float[] Shares(ReadOnlySpan<long> counts)
    {
        long sum = 0;
        foreach (long count in counts)
            sum += count;
        float[] shares = new float[counts.Length];
        for (int i = 0; i < shares.Length; i++)
            shares[i] = Mean(counts[i], sum);
        return shares;
    }

    /// <summary>
    /// A router's scores on the host, as far as it has them (N, E), log Σ exp of the logits (N) and the logarithms of the probabilities.
    /// </summary>
    private readonly struct Scores
    {
        private const float Smallest = 1e-37f;                   // p·log p is 0 from here on, not a NaN

        public Scores(RouterScores scores)
        {
            (Logits, Probabilities) = (scores.Logits?.ToArray(), scores.Probabilities?.ToArray());
            LogSumExp = scores.Logits?.LogSumExp().ToArray() ?? [];
            Logarithms = new float[Probabilities?.Length ?? 0];
            TensorPrimitives.Max(Probabilities, Smallest, Logarithms);
            TensorPrimitives.Log(Logarithms, Logarithms);
        }

        public float[]? Logits { get; }

        public float[]? Probabilities { get; }

        public float[] LogSumExp { get; }

        public float[] Logarithms { get; }
    }
}
