using System.Numerics.Tensors;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends;

/// <summary>How a token is chosen from logits. What each means, and its range, is said where a user sets it.</summary>
/// <param name="Temperature">Divides the logits; 0: the first of the likeliest tokens.</param>
/// <param name="TopK">Chosen from are the k likeliest; 0: all.</param>
/// <param name="TopP">Chosen from are the fewest tokens whose probabilities sum to at least p; 1: all.</param>
/// <param name="MinP">Chosen from are tokens of at least this share of the likeliest one's probability; 0: all.</param>
/// <param name="RepetitionPenalty">What it means for a token to have been there before; 1: nothing.</param>
/// <param name="Seed">Of the random numbers; that of choice i is the first of the stream (Seed, Sampling, i).</param>
public readonly record struct SamplingRules(
    float Temperature, int TopK, float TopP, float MinP, float RepetitionPenalty, ulong Seed)
{
    /// <summary>Names the random number of a choice.</summary>
    public RandomKey Key(int index) => new(Seed, RandomPurpose.Sampling, index);
}

/// <summary>
/// Chooses tokens from logits, in the order of transformers: temperature, top-k, top-p, min-p (a penalty for repetition comes before, see
/// <see cref="Penalize"/>). Choice i depends on (logits, rules, i) only.
/// </summary>
/// <remarks>Sums run over the tokens in the order of their likelihood, so all that may be chosen are sorted: by the digits of their bits, in
/// a time that grows as their number, and where only the k likeliest count those alone.</remarks>
internal sealed class Sampler
{
    private readonly SamplingRules rules;
    private readonly float[] probabilities;
    private readonly LikeliestFirst ranking;
    private float[]? writable; // the logits of the tokens that may be written, where not all may

    /// <summary>A sampler for a vocabulary of <paramref name="vocabulary"/> tokens.</summary>
    public Sampler(in SamplingRules rules, int vocabulary)
    {
        this.rules = rules;
        probabilities = new float[vocabulary];
        ranking = new LikeliestFirst(vocabulary);
    }

    /// <summary>Whether all logits are finite: there is nothing to choose otherwise.</summary>
    public static bool AreFinite(ReadOnlySpan<float> logits) => TensorPrimitives.IsFiniteAll(logits);

    /// <summary>Changes the logits of tokens that were there before by the penalty for repetition.</summary>
    public static void Penalize(Span<float> logits, HashSet<int> seen, float penalty)
    {
        foreach (int token in seen)
            logits[token] = logits[token] < 0 ? logits[token] * penalty : logits[token] / penalty;
    }

    /// <summary>The choice among the tokens of these ids, which rise; null: all. logits (V).</summary>
    public int Choose(ReadOnlySpan<float> logits, IReadOnlyList<int>? ids, int index)
    {
        if (ids is null)
            return Choose(logits, index);
        float[] few = writable ??= new float[ids.Count];
        for (int i = 0; i < few.Length; i++)
            few[i] = logits[ids[i]];
        return ids[Choose(few, index)];
    }

    /// <summary>The token of position <paramref name="index"/>; among equal logits the lower token is the likelier.</summary>
    public int Choose(ReadOnlySpan<float> logits, int index)
    {
        if (rules.Temperature == 0f)
            return TensorPrimitives.IndexOfMax(logits); // the first of the largest
        int kept = rules.TopK > 0 ? Math.Min(rules.TopK, logits.Length) : logits.Length;
        ReadOnlySpan<int> order = ranking.Sort(logits, kept);
        double largest = logits[order[0]], sum = 0;
        for (int i = 0; i < kept; i++)
        {
            probabilities[i] = (float)Math.Exp((logits[order[i]] - largest) / rules.Temperature);
            sum += probabilities[i];
            if (probabilities[i] == 0f) // as is what is less likely
            {
                Array.Clear(probabilities, i, kept - i);
                break;
            }
        }

        double nucleus = 0;
        for (int i = 0; i < kept && rules.TopP < 1f; i++)
        {
            nucleus += probabilities[i];
            if (nucleus >= rules.TopP * sum)
                (kept, sum) = (i + 1, nucleus);
        }

        for (int i = 1; i < kept && rules.MinP > 0f; i++) // likeliest first, whose weight is 1
        {
            if (probabilities[i] < rules.MinP)
                (kept, sum) = (i, Sum(i));
        }

        double point = new Philox(rules.Key(index)).Uniform(0) * sum;
        for (int i = 0; i < kept - 1; i++)
        {
            point -= probabilities[i];
            if (point < 0)
                return order[i];
        }

        return order[kept - 1];
    }

    private double Sum(int count)
    {
        double sum = 0;
        for (int i = 0; i < count; i++)
            sum += probabilities[i];
        return sum;
    }
}
