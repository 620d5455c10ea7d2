using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Tokenizers.Bpe;

namespace TinyMoE.Tokenizers.Training;

/// <summary>What tokenizer a text is to get.</summary>
/// <param name="Vocabulary">Number of tokens: special ones, the alphabet and merges together; fewer if the text runs out of pairs.</param>
/// <param name="Style">How it cuts text into words.</param>
public sealed record BpeRecipe(int Vocabulary, TokenizerStyle Style = TokenizerStyle.Gpt2)
{
    /// <summary>Names of special tokens beside those that the style has.</summary>
    public IReadOnlyList<string> Special { get; init; } = [];

    /// <summary>How often a pair must occur to be merged.</summary>
    public long LeastFrequency { get; init; }

    /// <summary>Most characters in the alphabet of style sentencepiece, the commonest; null: all.</summary>
    public int? MostCharacters { get; init; }

    /// <summary>The parts of the file that the style has.</summary>
    internal BpePipeline Pipeline => BpePipeline.Of(Style);

    /// <summary>All special tokens, those of the style first.</summary>
    internal IReadOnlyList<string> AllSpecial => [.. Pipeline.Special, .. Special];

    /// <summary>What the merges are trained for.</summary>
    /// <exception cref="TinyMoEException">
    /// It cannot be: a special token has no name or is named twice, the vocabulary is too small.
    /// </exception>
    internal BpeTrainerOptions ToOptions()
    {
        if (AllSpecial.Any(string.IsNullOrEmpty))
            throw new TinyMoEException("A special token has no name: give each one a name, such as <|end|>.");
        if (AllSpecial.CountBy(name => name).FirstOrDefault(name => name.Value > 1) is { Key: { } twice })
            throw new TinyMoEException($"The special token {twice} is named twice, or style {NameOf(Style)} has it already: leave it out.");
        if (Vocabulary > Validation.MostTokens)
            throw new TinyMoEException($"A vocabulary of {Vocabulary} is too large: take at most {Validation.MostTokens}.");
        int least = AllSpecial.Count + BpePipeline.ByteTokens.Count;
        if (Vocabulary < least)
        {
            throw new TinyMoEException($"A vocabulary of {Vocabulary} is too small: style {NameOf(Style)} begins with 256 bytes and "
                + $"{AllSpecial.Count} special tokens; take at least {least}.");
        }

        return new BpeTrainerOptions(Vocabulary)
        {
            FirstTokens = [.. AllSpecial, .. Pipeline.IsOfBytes ? [] : BpePipeline.ByteTokens],
            InitialAlphabet = Pipeline.IsOfBytes ? AllBytes : [],
            MostCharacters = Pipeline.IsOfBytes ? null : MostCharacters,
            LeastFrequency = LeastFrequency,
            Bytes = Pipeline.IsOfBytes,
        };
    }

    /// <summary>The characters that stand for the 256 bytes.</summary>
    internal static IReadOnlyList<Rune> AllBytes =>
        [.. Enumerable.Range(0, 256).Select(value => new Rune(ByteCharacters.Of((byte)value)))];

    /// <summary>What a style is called.</summary>
    public static string NameOf(TokenizerStyle style) => style.ToString().ToLowerInvariant();
}
