using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>How one layer's experts shared the work, gathered over the batches of an evaluation.</summary>
public sealed class RoutingStatistics
{
    private readonly long[] counts;
    private readonly double[] importance;
    private double entropy;
    private long tokens;

    /// <summary>Nothing gathered yet, for <paramref name="experts"/> experts.</summary>
    public RoutingStatistics(int experts) => (counts, importance) = (new long[experts], new double[experts]);

    /// <summary>Each expert's share of the choices; they sum to 1.</summary>
    public float[] Load => Shares([.. counts.Select(c => (double)c)]);

    /// <summary>Each expert's share of the gates; they sum to 1.</summary>
    public float[] Importance => Shares(importance);

    /// <summary>Mean over tokens of the entropy of softmax(logits), in nats; log E when the router is undecided.</summary>
    public float Entropy => tokens == 0 ? 0f : (float)(entropy / tokens);

    /// <summary>(max − mean)/mean of the choices an expert; 0 when balanced (Wang et al. 2024).</summary>
    public float MaxViolation => counts.Sum() == 0 ? 0f : (float)(counts.Max() / counts.Average() - 1);

    /// <summary>Experts that no token chose.</summary>
    public int Dead => counts.Count(c => c == 0);

    /// <summary>Adds a batch; waits for the device.</summary>
    public void Add(Routing routing)
    {
        Assignment assignment = routing.Assignment;
        int[] batchCounts = assignment.ReadCounts();
        float[] batchImportance = assignment.Importance().ToArray();
        for (int e = 0; e < counts.Length; e++)
        {
            counts[e] += batchCounts[e];
            importance[e] += batchImportance[e];
        }

        // H = log Σ exp h − Σ p·h
        tokens += assignment.TokenCount;
        if (routing.Scores.Logits is not { } logits)             // (T, E)
            return;
        Tensor batchEntropy = logits.LogSumExp().Subtract(logits.Softmax().Multiply(logits).SumColumns()).Sum();
        entropy += batchEntropy.Item();
    }

    private static float[] Shares(double[] amounts)
    {
        double sum = amounts.Sum();
        return [.. amounts.Select(a => sum == 0 ? 0f : (float)(a / sum))];
    }
}
