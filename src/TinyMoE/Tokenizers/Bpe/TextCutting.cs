using TinyMoE.Tokenizers.Normalizers;
using TinyMoE.Tokenizers.PreTokenizers;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Where a text may be cut into blocks that give together what the whole gives.</summary>
internal enum TextCut
{
    /// <summary>Nowhere that is known.</summary>
    Nowhere,

    /// <summary>Between a line feed, that no white space is before, and a letter.</summary>
    Lines,

    /// <summary>Between a letter and a space.</summary>
    Spaces,
}

/// <summary>Cuts texts into blocks.</summary>
internal static class TextCutting
{
    private const int Block = 1 << 17; // bytes

    /// <summary>Where a text may be cut that goes through these steps.</summary>
    public static TextCut Of(Pipeline pipeline, AddedTokenFinder normalized)
    {
        bool isUnchanged = pipeline.Normalizer == null;
        if (pipeline.PreTokenizer is { WorksByLine: true, CutsLines: true } && (isUnchanged || (pipeline.Normalizer!.WorksByLine && normalized.IsLocal)))
            return TextCut.Lines;
        bool keepsWords = isUnchanged || (normalized.IsEmpty && pipeline.Normalizer!.WritesSpaces);
        bool isCutThere = pipeline.PreTokenizer switch
        {
            null => !isUnchanged && pipeline.Model.CutsBeforeMeta,
            MetaspacePreTokenizer metaspace => isUnchanged && (metaspace.Splits || pipeline.Model.CutsBeforeMeta),
            _ => false,
        };
        return keepsWords && isCutThere ? TextCut.Spaces : TextCut.Nowhere;
    }

    /// <summary>Where the block that begins at a place ends.</summary>
    public static int BlockEnd(ReadOnlySpan<byte> utf8, int from, TextCut cut)
    {
        byte mark = (byte)(cut == TextCut.Lines ? '\n' : ' ');
        for (int at = from + Block; cut != TextCut.Nowhere && at < utf8.Length - 1; at++)
        {
            int found = utf8[at..].IndexOf(mark);
            if (found < 0 || (at += found) >= utf8.Length - 1)
                break;
            if (cut == TextCut.Lines && utf8[at - 1] is > 0x20 and < 0x7F && IsLetter(utf8[at + 1]))
                return at + 1;
            if (cut == TextCut.Spaces && IsLetter(utf8[at - 1]) && IsLetter(utf8[at + 1]))
                return at;
        }

        return utf8.Length;
    }

    private static bool IsLetter(byte value) => (uint)((value | 0x20) - 'a') <= 'z' - 'a';
}
