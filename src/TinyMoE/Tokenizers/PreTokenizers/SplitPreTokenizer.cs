using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.PreTokenizers;

/// <summary>Cuts where a pattern matches.</summary>
internal sealed class SplitPreTokenizer(IPattern pattern, SplitBehavior behavior, bool isInverted) : PreTokenizer
{
    /// <summary>The scanner that gives the pieces one after another; null: it is not that simple.</summary>
    public Scanner? Scanner => behavior == SplitBehavior.Isolated ? pattern as Scanner : null;

    public override bool WorksByLine => Scanner != null;

    public override bool CutsLines => Scanner != null;

    public override void Split(Piece piece, List<Piece> pieces) => Splitting.Split(piece, pattern, behavior, isInverted, pieces);
}

/// <summary>Cuts where characters are of a kind: white space, punctuation, numbers.</summary>
internal sealed class KindPreTokenizer(Func<int, bool> isMatch, SplitBehavior behavior) : PreTokenizer
{
    public override bool WorksByLine => true; // what a character is does not depend on the next one

    public override bool CutsLines => (behavior is SplitBehavior.Isolated or SplitBehavior.Removed) && isMatch('\n');

    public override void Split(Piece piece, List<Piece> pieces) => Splitting.Split(piece, isMatch, behavior, pieces);
}

/// <summary>Takes runs of word characters and runs of what is neither those nor white space.</summary>
internal sealed class WhitespacePreTokenizer : PreTokenizer
{
    private enum Kind
    {
        Space,
        Word,
        Other,
    }

    public override bool WorksByLine => true;

    public override bool CutsLines => true;

    public override void Split(Piece piece, List<Piece> pieces)
    {
        ReadOnlySpan<byte> utf8 = piece.Utf8;
        Kind kind = Kind.Space;
        int start = 0, at = 0;
        for (int length; at < utf8.Length; at += length)
        {
            int codePoint = Unicode.At(utf8, at, out length);
            // Joiners are word characters to the regular expressions of Rust.
            Kind next = Unicode.IsSpace(codePoint) ? Kind.Space
                : Unicode.IsWord(codePoint) || codePoint is 0x200C or 0x200D ? Kind.Word
                : Kind.Other;
            if (next == kind)
                continue;
            Add(piece, kind, start, at, pieces);
            (kind, start) = (next, at);
        }

        Add(piece, kind, start, at, pieces);
    }

    private static void Add(Piece piece, Kind kind, int start, int end, List<Piece> pieces)
    {
        if (kind != Kind.Space && end > start)
            pieces.Add(piece with { Start = piece.Start + start, End = piece.Start + end });
    }
}

/// <summary>Several in turn.</summary>
internal sealed class SequencePreTokenizer(IReadOnlyList<PreTokenizer> parts) : PreTokenizer
{
    /// <summary>The parts, in order.</summary>
    public IReadOnlyList<PreTokenizer> Parts => parts;

    // Behind ByteLevel a line feed is another character.
    public override bool WorksByLine => parts.All(part => part.WorksByLine) && !parts.SkipLast(1).Any(part => part is BytePreTokenizer);

    public override bool CutsLines => parts.Any(part => part.CutsLines);

    public override void Split(Piece piece, List<Piece> pieces)
    {
        List<Piece> from = [piece], to = [];
        foreach (PreTokenizer part in parts)
        {
            to.Clear();
            foreach (Piece one in from)
            {
                if (one.End > one.Start)
                    part.Split(one, to);
            }

            (from, to) = (to, from);
        }

        pieces.AddRange(from);
    }
}
