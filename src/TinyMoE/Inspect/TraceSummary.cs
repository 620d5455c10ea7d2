namespace TinyMoE.Inspect;

/// <summary>
/// What the experts of a model live on, as a trace shows it. Shares are of tokens, and count what was chosen, dropped or not.
/// </summary>
/// <param name="Tokens">Tokens that were traced.</param>
/// <param name="Domains">The domains that <see cref="ExpertSummary.ByDomain"/> is of; empty where all text has one label.</param>
/// <param name="Layers">The mixtures, from the first layer to the last.</param>
public sealed record TraceSummary(long Tokens, IReadOnlyList<string> Domains, IReadOnlyList<LayerSummary> Layers);

/// <summary>The experts of one layer.</summary>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="GateEntropy">Mean entropy of a token's gates divided by their sum, in nats.</param>
/// <param name="VocabularySpecialisation">
/// Mean over tokens of the largest share that one expert has of all tokens of the same id, by first choices: 1 where the id alone decides.
/// Ids that come once decide nothing and are left out; null where no id comes twice.
/// </param>
/// <param name="CoActivation">
/// (E, E), the share of the tokens of one expert (rows) that chose the other as well (Muennighoff et al. 2024); null beyond
/// <see cref="RoutingStatistics.MostExpertsTogether"/> experts.
/// </param>
/// <param name="Experts">The experts, by number.</param>
public sealed record LayerSummary(
    int Layer, float GateEntropy, float? VocabularySpecialisation, float[][]? CoActivation, IReadOnlyList<ExpertSummary> Experts);

/// <summary>What one expert lives on.</summary>
/// <param name="Expert">The expert.</param>
/// <param name="Tokens">Tokens that chose it.</param>
/// <param name="Share">Their share of all tokens.</param>
/// <param name="MeanGate">Mean gate of the choices that it served.</param>
/// <param name="MeanOutputNorm">Mean norm of what it computed for them; null where it served none.</param>
/// <param name="ByKind">For each <see cref="TokenKind"/>, the share of the tokens of that kind that chose it.</param>
/// <param name="ByPosition">For each eighth of a window, the share of the tokens there that chose it.</param>
/// <param name="ByDomain">For each domain, the share of its tokens that chose it: domain specialisation (Muennighoff et al. 2024).</param>
/// <param name="LivesOn">The ids that it has more often than chance, those that say most first.</param>
/// <param name="Contexts">Where it had its largest gates, each in the text around it.</param>
public sealed record ExpertSummary(
    int Expert, long Tokens, float Share, float MeanGate, float? MeanOutputNorm, float[] ByKind, float[] ByPosition, float[] ByDomain,
    IReadOnlyList<TokenShare> LivesOn, IReadOnlyList<TokenContext> Contexts);

/// <summary>How often an expert has an id.</summary>
/// <param name="Id">The id.</param>
/// <param name="Token">As the tokenizer writes it.</param>
/// <param name="Count">How many of the tokens of that id chose the expert.</param>
/// <param name="Of">How many there are.</param>
/// <param name="Lift">How many times as often the id is among the expert's tokens as in the text.</param>
public sealed record TokenShare(int Id, string Token, long Count, long Of, double Lift);

/// <summary>A token in the text around it.</summary>
/// <param name="Window">The window.</param>
/// <param name="Position">The place in it.</param>
/// <param name="Gate">The gate that the expert had there.</param>
/// <param name="Before">The text before the token.</param>
/// <param name="Token">The token's text.</param>
/// <param name="After">The text after it.</param>
public sealed record TokenContext(int Window, int Position, float Gate, string Before, string Token, string After);
