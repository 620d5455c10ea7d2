using System.Globalization;
using TinyMoE.Backends;

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

    /// <summary>The same as a backend takes it.</summary>
    internal SamplingRules Rules => new(Temperature, TopK, TopP, MinP, RepetitionPenalty, Seed);

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
