using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Inspect;

/// <summary>A mean loss in nats, of a text and of each of its domains.</summary>
/// <param name="Mean">Of all tokens.</param>
/// <param name="ByDomain">Of the tokens of each domain; null where all text has one label.</param>
public sealed record TextLoss(double Mean, IReadOnlyList<double>? ByDomain);

/// <summary>
/// The cross-entropy of every token by itself, added up over the batches of an evaluation: of all tokens and of each domain.
/// </summary>
internal sealed class TokenLosses(int domains)
{
    private readonly double[] sums = new double[domains + 1]; // of each domain, and of all
    private readonly long[] counts = new long[domains + 1];

    /// <summary>The means of what was added; NaN where that is nothing.</summary>
    public TextLoss Result => new(
        sums[^1] / counts[^1], domains == 0 ? null : [.. Enumerable.Range(0, domains).Select(domain => sums[domain] / counts[domain])]);

    /// <summary>
    /// −log softmax(logits)[target] of each token, in nats; 0 where the target is −1, which counts in nothing. logits (N, V), targets,
    /// result (N).
    /// </summary>
    public static float[] Of(Tensor logits, Ints targets)
    {
        float[] losses = logits.LogSumExp().ToArray(), own = logits.SelectColumns(targets, K: 1).ToArray();
        int[] ids = logits.Tape.Backend.Read(targets);
        for (int n = 0; n < losses.Length; n++)
            losses[n] = ids[n] < 0 ? 0f : losses[n] - own[n];
        return losses;
    }

    /// <summary>Adds the losses of N tokens. targets (N), on the host; domains (N), or empty where there are none.</summary>
    public void Add(ReadOnlySpan<float> losses, ReadOnlySpan<int> targets, ReadOnlySpan<int> domains)
    {
        for (int n = 0; n < losses.Length; n++)
        {
            if (targets[n] < 0)
                continue;
            sums[^1] += losses[n];
            counts[^1]++;
            if (domains.IsEmpty)
                continue;
            sums[domains[n]] += losses[n];
            counts[domains[n]]++;
        }
    }
}
