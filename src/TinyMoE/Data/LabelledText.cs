using TinyMoE.Tokenizers;

namespace TinyMoE.Data;

/// <summary>A text that grows at its end, and the labels of its stretches.</summary>
internal sealed class LabelledText : IDisposable
{
    private readonly List<string> names = [];
    private readonly Dictionary<string, int> labels = [];
    private readonly List<Stretch> stretches = [];

    /// <summary>No text; the labels that a model knows keep their places, others come behind them.</summary>
    public LabelledText(LabelSet? known = null)
    {
        foreach (string name in known ?? Enumerable.Empty<string>())
            LabelOf(name);
    }

    /// <summary>The text.</summary>
    public TextBuffer Text { get; } = new();

    /// <summary>The stretches in bytes, one behind the other.</summary>
    public IReadOnlyList<Stretch> Stretches => stretches;

    /// <summary>The known labels and then the text's, in the order of their first appearance.</summary>
    public LabelSet Labels => new(names);

    /// <summary>
    /// Labels what follows the last labelled byte up to before <paramref name="end"/>; it belongs to that part of the text, or, if null, to the part that is all text
    /// with its label.
    /// </summary>
    public void Label(int end, string name, int? part)
    {
        int start = stretches.Count == 0 ? 0 : stretches[^1].End;
        if (end == start)
            return;
        int label = LabelOf(name);
        Stretch stretch = new(start, end - start, label, part ?? label);
        if (stretches.Count > 0 && stretches[^1] is { } last && (last.Label, last.Part) == (stretch.Label, stretch.Part))
            stretches[^1] = last with { Length = end - last.Start };
        else
            stretches.Add(stretch);
    }

    /// <summary>The stretches in tokens.</summary>
    public List<Stretch> InTokens(Tokenizer tokenizer)
    {
        List<Stretch> tokens = new(stretches.Count);
        int start = 0;
        foreach (Stretch bytes in stretches)
        {
            int length = tokenizer.Count(Text.Bytes.Slice(bytes.Start, bytes.Length));
            tokens.Add(bytes with { Start = start, Length = length });
            start += length;
        }

        return tokens;
    }

    /// <summary>Gives the text's memory back.</summary>
    public void Dispose() => Text.Dispose();

    private int LabelOf(string name)
    {
        if (!labels.TryGetValue(name, out int label))
        {
            labels.Add(name, label = names.Count);
            names.Add(name);
        }

        return label;
    }
}
