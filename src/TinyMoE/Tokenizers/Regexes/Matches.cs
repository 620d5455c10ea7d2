namespace TinyMoE.Tokenizers.Regexes;

/// <summary>The matches of a pattern in a text, one after another; an empty one does not count right behind another.</summary>
internal ref struct Matches(IPattern pattern, ReadOnlySpan<byte> utf8)
{
    private readonly ReadOnlySpan<byte> utf8 = utf8;
    private int place, lastEnd = -1;

    /// <summary>The next match; false: there is none.</summary>
    public bool Next(out int start, out int end)
    {
        while (place <= utf8.Length && pattern.Find(utf8, place, out start, out end))
        {
            bool isEmpty = start == end;
            place = isEmpty ? Behind(end) : end;
            if (isEmpty && end == lastEnd)
                continue;
            lastEnd = end;
            return true;
        }

        (start, end) = (0, 0);
        return false;
    }

    private readonly int Behind(int at)
    {
        if (at >= utf8.Length)
            return utf8.Length + 1;
        _ = Unicode.At(utf8, at, out int length);
        return at + length;
    }
}
