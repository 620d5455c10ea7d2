namespace TinyMoE.Tokenizers.Normalizers;

/// <summary>Rewrites a text before it is cut.</summary>
internal abstract class Normalizer
{
    /// <summary>The rewritten text; the text itself where nothing changes.</summary>
    public abstract AlignedText Apply(AlignedText text);

    /// <summary>
    /// Whether a line at a time gives what the whole gives, where only the first line has the start of the text: a long text is worked on in
    /// parallel then.
    /// </summary>
    public virtual bool WorksByLine => false;

    /// <summary>Whether it does no more than write a space as "▁", and put something before the text.</summary>
    public virtual bool WritesSpaces => false;
}

/// <summary>Several in turn.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<Normalizer> parts) : Normalizer
{
    public override AlignedText Apply(AlignedText text)
    {
        bool isContinued = text.IsContinued;
        foreach (Normalizer part in parts)
            text = isContinued && part is PrependNormalizer ? text : part.Apply(text);
        return text;
    }

    public override bool WorksByLine => parts.All(part => part.WorksByLine);

    public override bool WritesSpaces => parts.All(part => part.WritesSpaces);
}
