using System.Text;
using TinyMoE.Tokenizers.Normalizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.PreTokenizers;

/// <summary>Which texts get the replacement of a space before them.</summary>
internal enum PrependScheme
{
    /// <summary>Every piece between added tokens.</summary>
    Always,

    /// <summary>The piece at the start of the text.</summary>
    First,

    /// <summary>None.</summary>
    Never,
}

/// <summary>Writes "▁" or another character for a space, puts one before, and cuts before each.</summary>
internal sealed class MetaspacePreTokenizer(Rune replacement, PrependScheme scheme, bool splits) : PreTokenizer
{
    private static readonly Literal Space = new([(byte)' ']);

    private readonly byte[] written = Encoding.UTF8.GetBytes(replacement.ToString());
    private readonly Literal pattern = new(Encoding.UTF8.GetBytes(replacement.ToString()));

    /// <summary>Whether it cuts before each.</summary>
    public bool Splits => splits;

    public override void Split(Piece piece, List<Piece> pieces)
    {
        bool isFirst = piece.IsFirst, isContinued = piece.Text.IsContinued && piece.Start == 0;
        AlignedText text = ReplaceNormalizer.Replace(piece.Text, piece.Start, piece.End, Space, written);
        bool prepends = !isContinued && (scheme == PrependScheme.Always || (scheme == PrependScheme.First && isFirst));
        if (prepends && !text.Utf8.StartsWith(written))
            text = PrependNormalizer.Prepend(text, 0, text.Length, written);
        piece = new Piece(text, 0, text.Length);
        if (splits)
            Splitting.Split(piece, pattern, SplitBehavior.MergedWithNext, isInverted: false, pieces);
        else
            pieces.Add(piece);
    }
}
