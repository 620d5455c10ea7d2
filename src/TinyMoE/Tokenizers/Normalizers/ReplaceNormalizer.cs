using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Normalizers;

/// <summary>Replaces every match of a pattern; what is put in stands for the last character of the match.</summary>
internal sealed class ReplaceNormalizer(IPattern pattern, byte[] content, bool isLiteral) : Normalizer
{
    public override AlignedText Apply(AlignedText text) => Replace(text, 0, text.Length, pattern, content);

    public override bool WritesSpaces => isLiteral && content.AsSpan().SequenceEqual("▁"u8) && pattern.Find(" "u8, 0, out int start, out int end)
        && (start, end) == (0, 1);

    /// <summary>A stretch of a text with every match replaced.</summary>
    public static AlignedText Replace(AlignedText text, int from, int to, IPattern pattern, ReadOnlySpan<byte> content)
    {
        ReadOnlySpan<byte> utf8 = text.Utf8[from..to];
        AlignedText.Builder? builder = null;
        Matches matches = new(pattern, utf8);
        int copied = 0;
        while (matches.Next(out int start, out int end))
        {
            builder ??= new AlignedText.Builder(utf8.Length);
            builder.Add(text, from + copied, from + start);
            int last = from + end - 1; // the last byte of the match, or the one before an empty match
            (int first, int behind) = last < 0 ? (0, 0) : (text.StartOf(last), text.EndOf(last));
            builder.Add(content, first, behind);
            copied = end;
        }

        if (builder == null)
            return from == 0 && to == text.Length ? text : Slice(text, from, to);
        builder.Add(text, from + copied, to);
        return builder.ToText();
    }

    /// <summary>A stretch of a text as a text of its own.</summary>
    private static AlignedText Slice(AlignedText text, int from, int to)
    {
        AlignedText.Builder builder = new(to - from);
        builder.Add(text, from, to);
        return builder.ToText();
    }
}
