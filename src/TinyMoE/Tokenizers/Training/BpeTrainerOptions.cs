using System.Text;

namespace TinyMoE.Tokenizers.Training;

/// <summary>What byte-pair encoding is trained for; the defaults are those of huggingface/tokenizers.</summary>
/// <param name="Vocabulary">
/// Number of tokens to stop at: special ones, the alphabet and merges together. Fewer if the text runs out.
/// </param>
public sealed record BpeTrainerOptions(int Vocabulary)
{
    /// <summary>Tokens that get the first ids, in this order, whether the text has them or not.</summary>
    public IReadOnlyList<string> FirstTokens { get; init; } = [];

    /// <summary>Characters that are in the alphabet even where the text has none of them.</summary>
    public IReadOnlyList<Rune> InitialAlphabet { get; init; } = [];

    /// <summary>
    /// Most characters in the alphabet, of which the commonest stay, of two that are equally common the smaller; null: all. The others are
    /// left out of the words.
    /// </summary>
    public int? MostCharacters { get; init; }

    /// <summary>How often a pair must occur to be merged.</summary>
    public long LeastFrequency { get; init; }

    /// <summary>
    /// Whether words are bytes, each of which is written as one character (<see cref="Bpe.ByteCharacters"/>); else they are UTF-8.
    /// </summary>
    public bool Bytes { get; init; }
}
