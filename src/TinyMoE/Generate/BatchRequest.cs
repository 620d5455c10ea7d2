namespace TinyMoE.Generate;

/// <summary>A text that a <see cref="BatchGenerator"/> is to write.</summary>
public sealed record BatchRequest
{
    /// <summary>Alternatives to a token at most.</summary>
    public const int MostAlternatives = 100;

    /// <summary>The ids that the text goes on from, at least one.</summary>
    public required IReadOnlyList<int> Prompt { get; init; }

    /// <summary>Tokens to choose at most; 0: none, for the scores of the prompt alone (see <see cref="Echo"/>).</summary>
    public required int Count { get; init; }

    /// <summary>Settings for choosing tokens.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Tokens that end the text; the one that does is the last that is given.</summary>
    public IReadOnlySet<int> StopTokens { get; init; } = new HashSet<int>();

    /// <summary>The label that all tokens are taken to have, for the router task; null: none.</summary>
    public int? Label { get; init; }

    /// <summary>Whether tokens come with their log-probabilities, and with how many of the likeliest beside them (0: none); null: without.
    /// They are the model's, of its logits as they are: before penalty, temperature and what else the sampling cuts.</summary>
    public int? Alternatives { get; init; }

    /// <summary>Whether the tokens of the prompt are given too, before the chosen ones, with their log-probabilities if asked.</summary>
    public bool Echo { get; init; }
}

/// <summary>A token of a text, as far as it is asked for with its log-probability.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LogProbability">To the base e; null where nobody asks, and of the first of a prompt, which nothing comes before.</param>
/// <param name="Alternatives">The likeliest that can be written, likeliest first, of equal ones the lower id; null as above.</param>
public readonly record struct BatchToken(int Id, double? LogProbability = null, IReadOnlyList<TokenAlternative>? Alternatives = null);

/// <summary>A token that could have been chosen.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LogProbability">To the base e.</param>
public readonly record struct TokenAlternative(int Id, double LogProbability);
