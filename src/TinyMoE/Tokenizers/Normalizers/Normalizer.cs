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
}

/// <summary>Several in turn.</summary>
internal sealed class SequenceNormalizer(IReadOnlyList<Normalizer> parts) : Normalizer
{
    public override AlignedText Apply(AlignedText text)
    {
        foreach (Normalizer part in parts)
            text = part.Apply(text);
        return text;
    }

    public override bool WorksByLine => parts.All(part => part.WorksByLine);
}
