namespace TinyMoE.Tokenizers.Regexes;

/// <summary>
/// A well-known pattern by hand, many times as fast as the general engine: it cuts every text into matches without a gap. Tests compare
/// each with the engine.
/// </summary>
internal abstract class Scanner : IPattern
{
    /// <summary>The scanner of a pattern, recognised by its text to the letter; null: it has none.</summary>
    public static Scanner? Of(string pattern) => KnownPatterns.Of(pattern) as Scanner;

    /// <summary>Where the match that begins at <paramref name="at"/>, before the end of the text, ends.</summary>
    public abstract int Next(ReadOnlySpan<byte> utf8, int at);

    /// <inheritdoc/>
    public bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        start = from;
        end = from < utf8.Length ? Next(utf8, from) : from;
        return end > from;
    }

    /// <summary>Where a run of letters ends.</summary>
    protected static int Letters(ReadOnlySpan<byte> utf8, int at)
    {
        while (at < utf8.Length)
        {
            byte first = utf8[at];
            if (first < 0x80)
            {
                if ((uint)((first | 0x20) - 'a') > 'z' - 'a')
                    return at;
                at++;
                continue;
            }

            if (!Unicode.IsLetter(Unicode.At(utf8, at, out int length)))
                return at;
            at += length;
        }

        return at;
    }

    /// <summary>Where a run of at most so many numbers ends.</summary>
    protected static int Numbers(ReadOnlySpan<byte> utf8, int at, int most)
    {
        for (; at < utf8.Length && most > 0 && Unicode.IsNumber(Unicode.At(utf8, at, out int length)); most--)
            at += length;
        return at;
    }

    /// <summary>Where a run of what is neither space, letter nor number ends.</summary>
    protected static int Others(ReadOnlySpan<byte> utf8, int at)
    {
        while (at < utf8.Length)
        {
            int codePoint = Unicode.At(utf8, at, out int length);
            if (Unicode.IsSpace(codePoint) || Unicode.IsLetter(codePoint) || Unicode.IsNumber(codePoint))
                return at;
            at += length;
        }

        return at;
    }

    /// <summary>
    /// <c>\s+(?!\S)|\s+</c>: all of the space at the end of a text, else all but its last character, which begins what follows.
    /// </summary>
    internal static int Spaces(ReadOnlySpan<byte> utf8, int at)
    {
        int end = at, last = at; // last: where the last character of the run begins
        while (end < utf8.Length && Unicode.IsSpace(Unicode.At(utf8, end, out int length)))
        {
            last = end;
            end += length;
        }

        return end == utf8.Length || last == at ? end : last;
    }

    /// <summary><c>\s*[\r\n]+</c>: up to the last line end of a run of space; -1: it has none.</summary>
    internal static int LineEnds(ReadOnlySpan<byte> utf8, int at)
    {
        int last = -1;
        while (at < utf8.Length)
        {
            int codePoint = Unicode.At(utf8, at, out int length);
            if (!Unicode.IsSpace(codePoint))
                break;
            at += length;
            if (codePoint is '\r' or '\n')
                last = at;
        }

        return last;
    }

    /// <summary>
    /// <c>(?i:'s|'t|'re|'ve|'m|'ll|'d)</c>: where it ends; -1: it is not there. The long s (U+017F) is an s of another case.
    /// </summary>
    protected static int Contraction(ReadOnlySpan<byte> utf8, int at)
    {
        if (at + 1 >= utf8.Length || utf8[at] != '\'')
            return -1;
        int first = Unicode.Fold(Unicode.At(utf8, at + 1, out int length));
        int next = at + 1 + length;
        if (first is 's' or 't' or 'm' or 'd')
            return next;
        int second = next < utf8.Length ? utf8[next] | 0x20 : 0;
        return (first, second) is ('r', 'e') or ('v', 'e') or ('l', 'l') ? next + 1 : -1;
    }
}
