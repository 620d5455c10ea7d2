namespace TinyMoE.Tokenizers.Normalizers;

/// <summary>Puts a text before every text that is not empty; it stands for the first character.</summary>
internal sealed class PrependNormalizer(byte[] content) : Normalizer
{
    public override bool WritesSpaces => true;

    public override AlignedText Apply(AlignedText text) => text.IsContinued ? text : Prepend(text, 0, text.Length, content);

    /// <summary>A stretch of a text with another text before it.</summary>
    public static AlignedText Prepend(AlignedText text, int from, int to, ReadOnlySpan<byte> content)
    {
        if (from == to)
            return text;
        AlignedText.Builder builder = new(content.Length + to - from);
        builder.Add(content, text.StartOf(from), text.EndOf(from));
        builder.Add(text, from, to);
        return builder.ToText();
    }
}
