using System.Text;
using TinyMoE.Tokenizers;

namespace TinyMoE.App;

/// <summary>A text in the tokens of a tokenizer, and back.</summary>
/// <param name="Tokens">The tokens without what the tokenizer puts around a text, each with the stretch it stands for.</param>
/// <param name="Texts">The same tokens as the tokenizer's file writes them.</param>
/// <param name="IdsWithSpecial">The ids with what the tokenizer puts around a text.</param>
/// <param name="Decoded">The text of these.</param>
/// <param name="DecodedSkipSpecial">The text of these without special tokens.</param>
/// <param name="Bytes">Bytes of the text.</param>
/// <param name="Notes">What a person should know of the tokenizer.</param>
public sealed record TokenizedText(
    IReadOnlyList<PlacedToken> Tokens,
    IReadOnlyList<string> Texts,
    IReadOnlyList<int> IdsWithSpecial,
    string Decoded,
    string DecodedSkipSpecial,
    long Bytes,
    IReadOnlyList<string> Notes)
{
    /// <summary>Cuts a text by the tokenizer of a file, a folder that has one, a run or a checkpoint.</summary>
    /// <exception cref="TinyMoEException">There is no tokenizer, or it does not know what is in the text.</exception>
    public static TokenizedText Of(string tokenizerPath, string text) => Of(TokenizerChoice.Open(tokenizerPath), text);

    /// <summary>Cuts the text of a file, which is UTF-8.</summary>
    /// <exception cref="TinyMoEException">One of the two cannot be read, or the tokenizer does not know what is in the text.</exception>
    public static TokenizedText OfFile(string tokenizerPath, string file)
    {
        Tokenizer tokenizer = TokenizerChoice.Open(tokenizerPath);
        return Of(tokenizer, TextFile.Read(file));
    }

    private static TokenizedText Of(Tokenizer tokenizer, string text)
    {
        IReadOnlyList<PlacedToken> tokens = tokenizer.EncodeWithPlaces(text);
        int[] withSpecial = tokenizer.EncodeWithSpecial(text);
        return new TokenizedText(
            tokens,
            [.. tokens.Select(token => tokenizer.TokenText(token.Id))],
            withSpecial,
            tokenizer.Decode(withSpecial, skipSpecial: false),
            tokenizer.Decode(withSpecial, skipSpecial: true),
            Encoding.UTF8.GetByteCount(text),
            tokenizer.Notes);
    }
}
