namespace TinyMoE.Inspect;

/// <summary>How the router of one layer spread the tokens of an evaluation over its E experts. What a router has none of is null.</summary>
/// <param name="Step">The step after which it was measured.</param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Load">(E), share of the layer's choices that went to each expert, before any was full; their sum is 1.</param>
/// <param name="Importance">(E), share of the layer's gates that each expert had; their sum is 1.</param>
/// <param name="Entropy">Mean entropy of a token's router probabilities, in nats; log E when the router is undecided.</param>
/// <param name="MaxViolation">(largest − mean)/mean of the experts' choices; 0 when balanced.</param>
/// <param name="Dead">Experts that no token chose.</param>
/// <param name="GateEntropy">Mean entropy of a token's gates divided by their sum, in nats; log K when they are equal.</param>
/// <param name="TopGate">Mean of a token's largest gate.</param>
/// <param name="Dropped">Share of the choices that no expert served, because it was full.</param>
/// <param name="LogitNorm">Mean Euclidean norm of a token's logits.</param>
/// <param name="LogSumExp">Mean log Σ exp of a token's logits.</param>
/// <param name="Changed">Share of the tokens whose top expert is another than in the evaluation before; null in the first.</param>
/// <param name="CoActivation">
/// (E, E), share of tokens that chose both experts; on the diagonal, that chose the one. Null beyond
/// <see cref="RoutingStatistics.MostExpertsTogether"/> experts.
/// </param>
/// <param name="Domains">The load of each domain, the largest domain first; null where all text has one label.</param>
public sealed record RoutingReport(
    int Step, int Layer, float[] Load, float[] Importance, float? Entropy, float MaxViolation, int Dead,
    float GateEntropy = 0, float TopGate = 0, float Dropped = 0, float? LogitNorm = null, float? LogSumExp = null, float? Changed = null,
    float[][]? CoActivation = null, IReadOnlyList<DomainLoad>? Domains = null);

/// <summary>How one layer spread the tokens of one domain.</summary>
/// <param name="Label">The label of their text; of the rarest, "(3 more)".</param>
/// <param name="Share">Their share of the evaluation's tokens.</param>
/// <param name="Load">(E), share of their choices that went to each expert; their sum is 1.</param>
public sealed record DomainLoad(string Label, float Share, float[] Load);

/// <summary>A layer whose router goes wrong.</summary>
/// <param name="Step">The step of the evaluation that showed it.</param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Text">The layer, what was seen and what to try, in one line.</param>
public sealed record WarningReport(int Step, int Layer, string Text);
