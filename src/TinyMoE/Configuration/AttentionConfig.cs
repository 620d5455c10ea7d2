namespace TinyMoE.Configuration;

/// <summary>What projects values and outputs of attention.</summary>
public enum AttentionKind
{
    /// <summary>One matrix each for all tokens.</summary>
    Full,

    /// <summary>Experts in every head, chosen token by token (Csordás et al. 2023).</summary>
    SwitchHead,
}

/// <summary>Experts inside attention. Keys <c>attention.*</c>.</summary>
public sealed record AttentionConfig
{
    /// <summary>The value and output projections: a matrix each, or experts in every head (SwitchHead, Csordás et al. 2023).</summary>
    public AttentionKind Kind { get; init; } = AttentionKind.Full;

    /// <summary>Experts a head, E; the values have theirs in every key and value head, the outputs in every query head.</summary>
    public int Experts { get; init; } = 4;

    /// <summary>Experts a token takes in each head, K.</summary>
    public int Active { get; init; } = 2;

    /// <summary>Chance that an expert cannot be chosen by a token, in training.</summary>
    public float GateDropout { get; init; }
}
