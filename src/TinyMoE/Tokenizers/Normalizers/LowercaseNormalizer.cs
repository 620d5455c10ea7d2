using System.Text;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Normalizers;

/// <summary>Makes every character small; İ becomes two.</summary>
internal sealed class LowercaseNormalizer : Normalizer
{
    private const int DottedI = 0x130;

    public override bool WorksByLine => true;

    public override AlignedText Apply(AlignedText text)
    {
        ReadOnlySpan<byte> utf8 = text.Utf8;
        AlignedText.Builder? builder = null;
        Span<byte> small = stackalloc byte[4];
        int copied = 0;
        for (int at = 0, length; at < utf8.Length; at += length)
        {
            int codePoint = Unicode.At(utf8, at, out length);
            int lower = codePoint < 0x80 ? Unicode.Fold(codePoint) : Rune.ToLowerInvariant(new Rune(codePoint)).Value;
            if (lower == codePoint && codePoint != DottedI)
                continue;
            builder ??= new AlignedText.Builder(utf8.Length);
            builder.Add(text, copied, at);
            copied = at + length;
            ReadOnlySpan<byte> written = codePoint == DottedI ? "i\u0307"u8 : small[..new Rune(lower).EncodeToUtf8(small)];
            builder.Add(written, text.StartOf(at), text.EndOf(at));
        }

        builder?.Add(text, copied, utf8.Length);
        return builder?.ToText() ?? text;
    }
}
