namespace TinyMoE.Tokenizers.Regexes;

/// <summary>
/// The last of the three patterns of DeepSeek-V3. It leaves gaps: what is neither letter, mark, punctuation, symbol nor white space, such
/// as a number, matches only before a letter.
/// </summary>
internal sealed class DeepSeekPattern : IPattern
{
    /// <summary>The pattern.</summary>
    public const string Text = @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        + @"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        for (start = from; start < utf8.Length;)
        {
            int codePoint = Unicode.At(utf8, start, out int length);
            end = Match(utf8, start, codePoint, length);
            if (end > start)
                return true;
            start += length;
        }

        (start, end) = (0, 0);
        return false;
    }

    private static int Match(ReadOnlySpan<byte> utf8, int at, int codePoint, int length)
    {
        int next = at + length;
        bool isMark = Unicode.IsPunctuation(codePoint) || Unicode.IsSymbol(codePoint);
        if (isMark && codePoint < 0x80 && next < utf8.Length && IsAsciiLetter(utf8[next]))
        {
            while (next < utf8.Length && IsAsciiLetter(utf8[next]))
                next++;
            return next;
        }

        if (IsLetter(codePoint))
            return Letters(utf8, at);
        if (!isMark && codePoint is not ('\r' or '\n') && Letters(utf8, next) is int word && word > next)
            return word;
        int first = codePoint == ' ' ? next : at;
        int marks = Marks(utf8, first);
        if (marks > first)
        {
            while (marks < utf8.Length && utf8[marks] is (byte)'\r' or (byte)'\n')
                marks++;
            return marks;
        }

        if (!Unicode.IsSpace(codePoint))
            return at;
        return Scanner.LineEnds(utf8, at) is > 0 and int lines ? lines : Scanner.Spaces(utf8, at);
    }

    private static int Letters(ReadOnlySpan<byte> utf8, int at)
    {
        while (at < utf8.Length && IsLetter(Unicode.At(utf8, at, out int length)))
            at += length;
        return at;
    }

    private static int Marks(ReadOnlySpan<byte> utf8, int at)
    {
        while (at < utf8.Length && Unicode.At(utf8, at, out int length) is int codePoint
            && (Unicode.IsPunctuation(codePoint) || Unicode.IsSymbol(codePoint)))
            at += length;
        return at;
    }

    private static bool IsLetter(int codePoint) => Unicode.IsLetter(codePoint) || Unicode.IsMark(codePoint);

    private static bool IsAsciiLetter(byte value) => (uint)((value | 0x20) - 'a') <= 'z' - 'a';
}
