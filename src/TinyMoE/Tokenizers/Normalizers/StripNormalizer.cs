using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Normalizers;

/// <summary>Takes the white space off the start and the end of a text.</summary>
internal sealed class StripNormalizer(bool left, bool right) : Normalizer
{
    public override AlignedText Apply(AlignedText text)
    {
        ReadOnlySpan<byte> utf8 = text.Utf8;
        int from = 0, to = utf8.Length;
        while (left && from < to && Unicode.IsSpace(Unicode.At(utf8, from, out int length)))
            from += length;
        while (right && to > from && Unicode.Before(utf8, to) is int before && Unicode.IsSpace(Unicode.At(utf8, before, out _)))
            to = before;
        if (from == 0 && to == utf8.Length)
            return text;
        AlignedText.Builder builder = new(to - from);
        builder.Add(text, from, to);
        return builder.ToText();
    }
}
