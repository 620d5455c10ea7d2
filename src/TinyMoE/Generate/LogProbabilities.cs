using System.Numerics.Tensors;

namespace TinyMoE.Generate;

/// <summary>Log-probabilities of tokens by logits (V), to the base e, computed in double precision.</summary>
internal static class LogProbabilities
{
    /// <summary>A token with its log-probability, and with those of so many of the likeliest among <paramref name="writable"/>, rising;
    /// null: of all.</summary>
    public static BatchToken Of(ReadOnlySpan<float> logits, int id, int alternatives, IReadOnlyList<int>? writable)
    {
        float largest = TensorPrimitives.Max(logits);
        double sum = 0;
        foreach (float logit in logits)
            sum += Math.Exp((double)logit - largest);
        double logSum = Math.Log(sum);
        TokenAlternative[] likeliest = Likeliest(logits, alternatives, writable);
        for (int i = 0; i < likeliest.Length; i++)
            likeliest[i] = likeliest[i] with { LogProbability = Of(logits[likeliest[i].Id]) };
        return new BatchToken(id, Of(logits[id]), likeliest);

        double Of(float logit) => logit - (double)largest - logSum; // as a score of Scorer, to the last bit
    }

    /// <summary>The tokens of the largest logits in their order, with the logits in place of log-probabilities.</summary>
    private static TokenAlternative[] Likeliest(ReadOnlySpan<float> logits, int count, IReadOnlyList<int>? writable)
    {
        int candidates = writable?.Count ?? logits.Length;
        PriorityQueue<int, (float Logit, int Rank)> best = new(count + 1); // the least likely of those kept comes first
        for (int i = 0; i < candidates && count > 0; i++)
        {
            int id = writable is null ? i : writable[i];
            if (best.Count < count)
                best.Enqueue(id, (logits[id], -id));
            else
                best.EnqueueDequeue(id, (logits[id], -id));
        }

        TokenAlternative[] likeliest = new TokenAlternative[best.Count];
        for (int i = likeliest.Length - 1; i >= 0; i--)
        {
            int id = best.Dequeue();
            likeliest[i] = new TokenAlternative(id, logits[id]);
        }

        return likeliest;
    }
}
