namespace TinyMoE.Tokenizers;

/// <summary>Recognises text in UTF-16 or UTF-32: by its mark, or by the zeros in it, which text in UTF-8 has none of.</summary>
internal static class WideText
{
    private const int Blank = 0x20; // below are control characters, and the upper halves of most alphabets' characters

    /// <summary>The encoding as iconv calls it; null: it is neither.</summary>
    public static string? EncodingOf(ReadOnlySpan<byte> text)
    {
        if (text is [0xFF, 0xFE, 0, 0, ..] or [0, 0, 0xFE, 0xFF, ..])
            return "UTF-32";
        if (text is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
            return "UTF-16";
        long zeros = text.Count((byte)0);
        if (zeros == 0 || zeros * 100 < text.Length)
            return null;

        Span<int> zerosAt = stackalloc int[4], smallAt = stackalloc int[2];
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == 0)
                zerosAt[i % 4]++;
            if (text[i] < Blank)
                smallAt[i % 2]++;
        }

        if (zeros * 2 > text.Length)
            return zerosAt[3] >= zerosAt[0] ? "UTF-32LE" : "UTF-32BE";
        int upper = zerosAt[1] + zerosAt[3] > zerosAt[0] + zerosAt[2] ? 1 : 0; // where the upper half of each pair is
        bool isWide = zeros * 5 >= text.Length || smallAt[upper] * 10L >= text.Length / 2 * 9L;
        return !isWide ? null : upper == 1 ? "UTF-16LE" : "UTF-16BE";
    }

    /// <summary>What to do about text in an encoding.</summary>
    public static string Remedy(string encoding) => $"convert it (iconv -f {encoding} -t UTF-8 OLD > NEW)";
}
