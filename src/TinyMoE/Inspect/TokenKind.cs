using System.Text;
using TinyMoE.Tokenizers;

namespace TinyMoE.Inspect;

/// <summary>Kinds of characters that a token is of.</summary>
public enum TokenKind
{
    /// <summary>Letters, none of them a capital.</summary>
    Lower,

    /// <summary>Letters with a capital among them.</summary>
    Upper,

    /// <summary>Digits.</summary>
    Digits,

    /// <summary>Blanks and ends of lines.</summary>
    Space,

    /// <summary>Brackets of any shape.</summary>
    Brackets,

    /// <summary>Other signs.</summary>
    Punctuation,

    /// <summary>Letters of another script than Latin, and parts of characters.</summary>
    OtherScripts,

    /// <summary>Special tokens.</summary>
    Special,
}

/// <summary>Tells the kinds of tokens.</summary>
internal static class TokenKinds
{
    private const string Brackets = "()[]{}<>";
    private const char LastOfLatin = '\u024F';

    /// <summary>How many there are.</summary>
    public static int Count { get; } = Enum.GetValues<TokenKind>().Length;

    /// <summary>The kind of each id of a tokenizer (V).</summary>
    public static TokenKind[] Of(Tokenizer tokenizer) => [.. Enumerable.Range(0, tokenizer.Vocabulary).Select(
        id => tokenizer.IsSpecial(id) ? TokenKind.Special : Of(Encoding.UTF8.GetString(tokenizer.Bytes(id))))];

    /// <summary>
    /// The kind of a text; a blank before letters or signs does not count. Letters decide before digits, digits before signs.
    /// </summary>
    public static TokenKind Of(string text)
    {
        string shown = text.Trim();
        if (shown.Length == 0)
            return text.Length == 0 ? TokenKind.Special : TokenKind.Space;
        if (shown.Any(c => c == '\uFFFD' || (char.IsLetter(c) && c > LastOfLatin) || char.IsSurrogate(c)))
            return TokenKind.OtherScripts;
        if (shown.Any(char.IsLetter))
            return shown.Any(char.IsUpper) ? TokenKind.Upper : TokenKind.Lower;
        if (shown.Any(char.IsDigit))
            return TokenKind.Digits;
        return shown.All(c => Brackets.Contains(c, StringComparison.Ordinal)) ? TokenKind.Brackets : TokenKind.Punctuation;
    }
}
