using System.Globalization;

namespace TinyMoE.Tokenizers.Regexes;

/// <summary>The pattern of o200k (GPT-4o, GPT-OSS): a word ends where small letters are followed by a capital.</summary>
internal sealed class O200kScanner : Scanner
{
    private const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    private const string Prefix = @"[^\r\n\p{L}\p{N}]?", Suffix = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|";

    /// <summary>The pattern.</summary>
    public const string Pattern = Prefix + Upper + "*" + Lower + "+" + Suffix + Prefix + Upper + "+" + Lower + "*" + Suffix
        + @"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<byte> utf8, int at)
    {
        int codePoint = Unicode.At(utf8, at, out int length);
        int word = Word(utf8, at, codePoint, length);
        if (word > 0)
            return Contraction(utf8, word) is > 0 and int contraction ? contraction : word;
        if (Unicode.IsNumber(codePoint))
            return Numbers(utf8, at, 3);

        int from = codePoint == ' ' ? at + 1 : at;
        int others = Others(utf8, from);
        if (others > from)
        {
            while (others < utf8.Length && utf8[others] is (byte)'\r' or (byte)'\n' or (byte)'/')
                others++;
            return others;
        }

        return LineEnds(utf8, at) is > 0 and int lines ? lines : Spaces(utf8, at);
    }

    // Both ways to read a word, each with a character before it and then without.
    private static int Word(ReadOnlySpan<byte> utf8, int at, int codePoint, int length)
    {
        bool mayPrefix = codePoint is not ('\r' or '\n') && !Unicode.IsLetter(codePoint) && !Unicode.IsNumber(codePoint);
        int end = mayPrefix ? UpperThenSomeLower(utf8, at + length) : -1;
        if (end < 0)
            end = UpperThenSomeLower(utf8, at);
        if (end < 0 && mayPrefix)
            end = SomeUpperThenLower(utf8, at + length);
        return end < 0 ? SomeUpperThenLower(utf8, at) : end;
    }

    // Capitals, then at least one small letter: letters without case and marks are both, and the last of those can serve.
    private static int UpperThenSomeLower(ReadOnlySpan<byte> utf8, int at)
    {
        int both = -1; // behind the last character that is both
        while (at < utf8.Length)
        {
            int codePoint = Unicode.At(utf8, at, out int length);
            if (!IsUpper(codePoint))
                break;
            at += length;
            if (IsLower(codePoint))
                both = at;
        }

        int end = LowerRun(utf8, at);
        return end > at ? end : both;
    }

    private static int SomeUpperThenLower(ReadOnlySpan<byte> utf8, int at)
    {
        int end = at;
        while (end < utf8.Length && IsUpper(Unicode.At(utf8, end, out int length)))
            end += length;
        return end > at ? LowerRun(utf8, end) : -1;
    }

    private static int LowerRun(ReadOnlySpan<byte> utf8, int at)
    {
        while (at < utf8.Length && IsLower(Unicode.At(utf8, at, out int length)))
            at += length;
        return at;
    }

    private static bool IsUpper(int codePoint) => Unicode.CategoryOf(codePoint)
        is UnicodeCategory.UppercaseLetter or UnicodeCategory.TitlecaseLetter || IsBoth(codePoint);

    private static bool IsLower(int codePoint) => Unicode.CategoryOf(codePoint) == UnicodeCategory.LowercaseLetter || IsBoth(codePoint);

    private static bool IsBoth(int codePoint) => Unicode.CategoryOf(codePoint)
        is >= UnicodeCategory.ModifierLetter and <= UnicodeCategory.EnclosingMark;
}
