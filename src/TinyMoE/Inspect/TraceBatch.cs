namespace TinyMoE.Inspect;

/// <summary>
/// What a model did with some windows of B·T = N tokens. Token n is at position n % T of window <see cref="FirstWindow"/> + n / T. Its
/// routing is that of this token; its loss and rank are its own, after the tokens before it, and so is what comes next what the model
/// expects after it.
/// </summary>
/// <param name="FirstWindow">The number of the first window.</param>
/// <param name="T">Tokens of a window.</param>
/// <param name="Ids">(N), the tokens.</param>
public sealed record TraceBatch(int FirstWindow, int T, int[] Ids)
{
    /// <summary>(N), false for a token that is only read: padding, or one that an earlier window had.</summary>
    public required bool[] Traced { get; init; }

    /// <summary>(N), the label of the text of each token; empty where there are none.</summary>
    public int[] Labels { get; init; } = [];

    /// <summary>(N), −log of each token's probability after those before it, in nats; NaN for the first of a window.</summary>
    public required float[] Losses { get; init; }

    /// <summary>(N), 1 for the likeliest token, 2 for the next, the lower id first among equals; 0 for the first of a window.</summary>
    public required int[] Ranks { get; init; }

    /// <summary>(N), the token that follows, as an evaluation has it as target; −1 where none is known.</summary>
    public required int[] NextIds { get; init; }

    /// <summary>(N), the loss of the token that follows; NaN for none. The loss of an evaluation is the mean of these.</summary>
    public required float[] NextLosses { get; init; }

    /// <summary>(N, P), the ids that the model takes for the likeliest to follow, the likeliest first.</summary>
    public int[] PredictedIds { get; init; } = [];

    /// <summary>(N, P), their probabilities.</summary>
    public float[] PredictedProbabilities { get; init; } = [];

    /// <summary>Predictions per token, P.</summary>
    public int Predictions => PredictedIds.Length / Ids.Length;

    /// <summary>The mixtures, from the first layer to the last; none of a dense model.</summary>
    public required IReadOnlyList<TraceLayer> Layers { get; init; }

    /// <summary>The experts of attention's heads, layer by layer, values before outputs; none but of SwitchHead.</summary>
    public required IReadOnlyList<TraceHeads> Heads { get; init; }
}

/// <summary>
/// Where the router of one layer sent N tokens. The choices of token n are those from <see cref="Offsets"/>[n] to before Offsets[n+1], in
/// the router's order: the likeliest first, or by number where experts choose tokens or all serve.
/// </summary>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Experts">Experts, E.</param>
/// <param name="Offsets">(N+1), where each token's choices begin.</param>
public sealed record TraceLayer(int Layer, int Experts, int[] Offsets)
{
    /// <summary>(choices), the expert that was chosen.</summary>
    public required int[] Expert { get; init; }

    /// <summary>(choices), the gate, what the expert's output is multiplied by; 0 where it was full and the choice was dropped.</summary>
    public required float[] Gate { get; init; }

    /// <summary>(choices), false for a choice that was dropped.</summary>
    public required bool[] Served { get; init; }

    /// <summary>(choices), the Euclidean norm of what the expert computed, before the gate; NaN for a choice that was dropped.</summary>
    public required float[] OutputNorm { get; init; }

    /// <summary>(N, E), the router's probabilities; null for a router that has none.</summary>
    public float[]? Probabilities { get; init; }

    /// <summary>(N), the Euclidean norm of the router's logits; null for a router that has none.</summary>
    public float[]? LogitNorm { get; init; }

    /// <summary>(N), the entropy of the router's probabilities, in nats; null for a router that has none.</summary>
    public float[]? Entropy { get; init; }
}

/// <summary>Which experts the heads of one layer's attention chose for N tokens: K in each of H heads (SwitchHead).</summary>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="OfOutputs">Whether they are the experts of outputs, not of values.</param>
/// <param name="Heads">Heads, H.</param>
/// <param name="Active">Experts per head and token, K.</param>
/// <param name="Experts">Experts of a head, E.</param>
public sealed record TraceHeads(int Layer, bool OfOutputs, int Heads, int Active, int Experts)
{
    /// <summary>(N, H, K), the expert among those of its head.</summary>
    public required int[] Expert { get; init; }

    /// <summary>(N, H, K), its gate.</summary>
    public required float[] Gate { get; init; }
}
