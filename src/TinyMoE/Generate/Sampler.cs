using System.Globalization;
using System.Numerics.Tensors;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Generate;

/// <summary>Settings for choosing the next token from its logits.</summary>
public sealed record SamplingOptions
{
    /// <summary>Divides the logits; 0: always the likeliest token (greedy).</summary>
    public float Temperature { get; init; } = 0.8f;

    /// <summary>Number of likeliest tokens that are chosen from, k; 0: all.</summary>
    public int TopK { get; init; }

    /// <summary>Chosen from are the fewest tokens whose probabilities sum to at least p (nucleus, Holtzman et al. 2020); 1: all.</summary>
    public float TopP { get; init; } = 1f;

    /// <summary>
    /// Chosen from are tokens of at least this share of the likeliest one's probability (Nguyen et al. 2024, min-p); 0: all.
    /// </summary>
    public float MinP { get; init; }

    /// <summary>
    /// Divides the logits of tokens that were there before, prompt and output, where they are positive, and multiplies them where they are
    /// negative (Keskar et al. 2019, CTRL); 1: leaves them.
    /// </summary>
    public float RepetitionPenalty { get; init; } = 1f;

    /// <summary>Seed of the random numbers that choose.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Refuses values that mean nothing.</summary>
    /// <exception cref="TinyMoEException">A value is out of its range; the message names it.</exception>
    public void Validate()
    {
        Check(Temperature >= 0 && float.IsFinite(Temperature), "temperature", Temperature, "at least 0");
        Check(TopK >= 0, "top-k", TopK, "at least 0");
        Check(TopP is > 0 and <= 1, "top-p", TopP, "above 0 and at most 1");
        Check(MinP is >= 0 and <= 1, "min-p", MinP, "from 0 to 1");
        Check(RepetitionPenalty > 0 && float.IsFinite(RepetitionPenalty), "repetition penalty", RepetitionPenalty, "above 0");
    }

    private static void Check(bool good, string name, float value, string range)
    {
        if (!good)
            throw new TinyMoEException(string.Create(CultureInfo.InvariantCulture, $"The {name} is {value}; it must be {range}."));
    }
}

/// <summary>
/// Chooses tokens from logits, in the order of transformers: temperature, top-k, top-p, min-p (a penalty for repetition comes before, see
/// <see cref="Penalize"/>). Choice i depends on (logits, options, i) only.
/// </summary>
internal sealed class Sampler
{
    private readonly SamplingOptions options;
    private readonly float[] probabilities;
    private readonly int[] order;

    /// <summary>A sampler for a vocabulary of <paramref name="vocabulary"/> tokens.</summary>
    public Sampler(SamplingOptions options, int vocabulary)
    {
        options.Validate();
        this.options = options;
        probabilities = new float[vocabulary];
        order = new int[vocabulary];
    }

    /// <summary>Changes the logits of tokens that were there before by the penalty for repetition.</summary>
    public static void Penalize(Span<float> logits, IEnumerable<int> seen, float penalty)
    {
        foreach (int token in seen)
            logits[token] = logits[token] < 0 ? logits[token] * penalty : logits[token] / penalty;
    }

    /// <summary>The token of position <paramref name="index"/>; among equal logits the lower token is the likelier.</summary>
    public int Choose(ReadOnlySpan<float> logits, int index)
    {
        if (options.Temperature == 0f)
            return TensorPrimitives.IndexOfMax(logits); // the first of the largest
        for (int v = 0; v < order.Length; v++)
        {
            order[v] = v;
            probabilities[v] = -logits[v]; // sorted ascending: likeliest first
        }

        // Keys equal to the bit keep no order in an unstable sort, so ties are mended below.
        probabilities.AsSpan().Sort(order.AsSpan());
        MendTies();
        int kept = options.TopK > 0 ? Math.Min(options.TopK, order.Length) : order.Length;
        double largest = -probabilities[0], sum = 0;
        for (int i = 0; i < kept; i++)
        {
            probabilities[i] = (float)Math.Exp((-probabilities[i] - largest) / options.Temperature);
            sum += probabilities[i];
        }

        double nucleus = 0;
        for (int i = 0; i < kept && options.TopP < 1f; i++)
        {
            nucleus += probabilities[i];
            if (nucleus >= options.TopP * sum)
                (kept, sum) = (i + 1, nucleus);
        }

        for (int i = 1; i < kept && options.MinP > 0f; i++) // likeliest first, whose weight is 1
        {
            if (probabilities[i] < options.MinP)
                (kept, sum) = (i, Sum(i));
        }

        double point = new Philox(new RandomKey(options.Seed, RandomPurpose.Sampling, index)).Uniform(0) * sum;
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

    private void MendTies()
    {
        for (int start = 0; start < order.Length;)
        {
            int end = start + 1;
            while (end < order.Length && probabilities[end] == probabilities[start])
                end++;
            order.AsSpan(start, end - start).Sort();
            start = end;
        }
    }
}
