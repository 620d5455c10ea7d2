using TinyMoE.Tokenizers.Bpe;
using TinyMoE.Tokenizers.Normalizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.PreTokenizers;

/// <summary>
/// <c>ByteLevel</c>: puts a space before, cuts as GPT-2 does, and writes every byte as a character. Where it is the last step the model
/// takes bytes, and the writing is left out.
/// </summary>
internal sealed class BytePreTokenizer(bool addsPrefixSpace, bool usesRegex, bool writes) : PreTokenizer
{
    private static readonly Scanner Gpt2 = new Gpt2Scanner();

    /// <summary>The scanner that gives the pieces one after another; null: it is not that simple.</summary>
    public Scanner? Scanner => usesRegex && !addsPrefixSpace ? Gpt2 : null;

    /// <summary>Whether it does nothing but write.</summary>
    public bool OnlyWrites => !usesRegex && !addsPrefixSpace;

    public override bool WorksByLine => !addsPrefixSpace;

    public override bool CutsLines => usesRegex;

    public override void Split(Piece piece, List<Piece> pieces)
    {
        if (addsPrefixSpace && piece.Utf8 is not [(byte)' ', ..])
        {
            AlignedText prefixed = PrependNormalizer.Prepend(piece.Text, piece.Start, piece.End, " "u8);
            piece = new Piece(prefixed, 0, prefixed.Length);
        }

        int first = pieces.Count;
        if (usesRegex)
            Splitting.Split(piece, Gpt2, SplitBehavior.Isolated, isInverted: false, pieces);
        else
            pieces.Add(piece);
        for (int i = first; writes && i < pieces.Count; i++)
            pieces[i] = Write(pieces[i]);
    }

    /// <summary>A piece with a character for each byte, which stands for what the byte stands for.</summary>
    public static Piece Write(Piece piece)
    {
        AlignedText.Builder builder = new(piece.End - piece.Start);
        for (int at = piece.Start; at < piece.End; at++)
            builder.Add(ByteCharacters.Utf8Of(piece.Text.Utf8[at]), piece.Text.StartOf(at), piece.Text.EndOf(at));
        AlignedText text = builder.ToText();
        return new Piece(text, 0, text.Length);
    }
}
