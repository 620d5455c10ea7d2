using TinyMoE.Tokenizers.PreTokenizers;

namespace TinyMoE.Tokenizers.Normalizers;

/// <summary><c>ByteLevel</c>: a character for every byte.</summary>
internal sealed class ByteNormalizer : Normalizer
{
    public override AlignedText Apply(AlignedText text) => BytePreTokenizer.Write(new Piece(text, 0, text.Length)).Text;
}
