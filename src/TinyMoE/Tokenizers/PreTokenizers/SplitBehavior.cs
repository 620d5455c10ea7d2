using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.PreTokenizers;

/// <summary>What becomes of a match of the pattern that splits a text.</summary>
internal enum SplitBehavior
{
    /// <summary>It is a piece of its own.</summary>
    Isolated,

    /// <summary>It is left out.</summary>
    Removed,

    /// <summary>It is put to the piece before it.</summary>
    MergedWithPrevious,

    /// <summary>It is put to the piece after it.</summary>
    MergedWithNext,

    /// <summary>Matches that follow each other are one piece.</summary>
    Contiguous,
}

/// <summary>Cuts a piece where a pattern matches.</summary>
internal static class Splitting
{
    /// <summary>Adds the pieces of a piece; inverted, what is between the matches counts as the matches.</summary>
    public static void Split(Piece piece, IPattern pattern, SplitBehavior behavior, bool isInverted, List<Piece> pieces)
    {
        Cutter cutter = new(piece, behavior, pieces);
        ReadOnlySpan<byte> utf8 = piece.Utf8;
        Matches matches = new(pattern, utf8);
        int previous = 0;
        while (matches.Next(out int start, out int end))
        {
            if (start > previous)
                cutter.Add(previous, start, isInverted);
            cutter.Add(start, end, !isInverted);
            previous = end;
        }

        if (previous < utf8.Length)
            cutter.Add(previous, utf8.Length, isInverted);
        cutter.Finish();
    }

    /// <summary>Adds the pieces of a piece, where characters of a kind are matches of one character each.</summary>
    public static void Split(Piece piece, Func<int, bool> isMatch, SplitBehavior behavior, List<Piece> pieces)
    {
        Cutter cutter = new(piece, behavior, pieces);
        ReadOnlySpan<byte> utf8 = piece.Utf8;
        int previous = 0;
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            if (!isMatch(Unicode.At(utf8, at, out length)))
                continue;
            if (at > previous)
                cutter.Add(previous, at, false);
            cutter.Add(at, at + length, true);
            previous = at + length;
        }

        if (previous < utf8.Length)
            cutter.Add(previous, utf8.Length, false);
        cutter.Finish();
    }

    // Matches and what is between them come in order. Only the last piece that was made can still grow.
    private struct Cutter(Piece piece, SplitBehavior behavior, List<Piece> pieces)
    {
        private int start = -1, end; // the piece that may still grow; none if start < 0
        private bool wasMatch;       // whether the last stretch was a match

        public void Add(int from, int to, bool isMatch)
        {
            // To the piece before it goes a match that no match is before; to the piece after it a match that no match is after.
            bool grows = start >= 0 && behavior switch
            {
                SplitBehavior.MergedWithPrevious => isMatch && !wasMatch,
                SplitBehavior.MergedWithNext => !isMatch && wasMatch,
                SplitBehavior.Contiguous => isMatch == wasMatch,
                _ => false,
            };
            wasMatch = isMatch;
            if (grows)
            {
                end = to;
                return;
            }

            Finish();
            if (behavior != SplitBehavior.Removed || !isMatch)
                (start, end) = (from, to);
        }

        public void Finish()
        {
            if (start >= 0 && end > start)
                pieces.Add(piece with { Start = piece.Start + start, End = piece.Start + end });
            start = -1;
        }
    }
}
