using TinyMoE.Tokenizers.PreTokenizers;
using TinyMoE.Tokenizers.Regexes;

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
        if (pipeline.PreTokenizer is { WorksByLine: true, CutsLines: true }
            && (isUnchanged || (pipeline.Normalizer!.WorksByLine && normalized.IsLocal)))
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
            if (cut == TextCut.Lines && EndsLine(utf8, at) && BeginsLine(utf8, at + 1))
                return at + 1;
            if (cut == TextCut.Spaces && IsLetter(utf8[at - 1]) && IsLetter(utf8[at + 1]))
                return at;
        }

        return utf8.Length;
    }

    // Normalization leaves what these are: no white space before the line feed, and a letter behind it.
    private static bool EndsLine(ReadOnlySpan<byte> utf8, int at) => utf8[at - 1] < 0x80
        ? utf8[at - 1] is > 0x20 and < 0x7F
        : Unicode.At(utf8, Unicode.Before(utf8, at), out _) is (> 0x3000 and < 0xD7A4) or (>= 0x400 and < 0x530);

    private static bool BeginsLine(ReadOnlySpan<byte> utf8, int at) => utf8[at] < 0x80
        ? IsLetter(utf8[at])
        : Unicode.At(utf8, at, out _) is (>= 0x400 and < 0x482) or (>= 0x3041 and < 0x3097) or (>= 0x30A1 and < 0x30FB)
            or (>= 0x4E00 and < 0x9FFD) or (>= 0xAC00 and < 0xD7A4);

    private static bool IsLetter(byte value) => (uint)((value | 0x20) - 'a') <= 'z' - 'a';
}
