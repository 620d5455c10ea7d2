namespace TinyMoE.Tokenizers.Training;

/// <summary>What a training of byte-pair encoding found.</summary>
/// <param name="Tokens">The texts of all tokens; a token's id is its place.</param>
/// <param name="Merges">Pairs of ids that are merged, the first first.</param>
/// <param name="TextTokens">How many tokens the words that it was trained on have in all.</param>
public sealed record BpeVocabulary(IReadOnlyList<string> Tokens, IReadOnlyList<(int Left, int Right)> Merges, long TextTokens);
