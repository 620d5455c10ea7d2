namespace TinyMoE.Tokenizers.Regexes;

/// <summary>The pattern of cl100k and Llama-3, with up to three digits together, and of Qwen2, with one.</summary>
internal sealed class Cl100kScanner(int digits) : Scanner
{
    /// <summary>The pattern, given that for numbers.</summary>
    public static string PatternOf(string numbers) =>
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|" + numbers + @"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<byte> utf8, int at)
    {
        if (Contraction(utf8, at) is > 0 and int contraction)
            return contraction;
        int codePoint = Unicode.At(utf8, at, out int length);
        if (Unicode.IsLetter(codePoint))
            return Letters(utf8, at + length);
        if (Unicode.IsNumber(codePoint))
            return Numbers(utf8, at, digits);

        int next = at + length;
        if (codePoint is not ('\r' or '\n') && Letters(utf8, next) is int word && word > next)
            return word;
        int others = Others(utf8, codePoint == ' ' ? next : at);
        if (others > (codePoint == ' ' ? next : at))
        {
            while (others < utf8.Length && utf8[others] is (byte)'\r' or (byte)'\n')
                others++;
            return others;
        }

        return LineEnds(utf8, at) is > 0 and int lines ? lines : Spaces(utf8, at);
    }
}
