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

    /// <summary>The bytes of the text, in UTF-8 or as they were read.</summary>
    public TextBuffer Text { get; } = new();

    /// <summary>The stretches in bytes, one behind the other.</summary>
    public IReadOnlyList<Stretch> Stretches => stretches;

    /// <summary>The known labels and then the text's, in the order of their first appearance.</summary>
    public LabelSet Labels => new(names);

    /// <summary>
    /// Labels what follows the last labelled byte up to before <paramref name="end"/>; it belongs to that part of the text, or, if null, to
    /// the part that is all text with its label.
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

    /// <summary>
    /// The ids of the text, and the stretches in tokens: a token is of the stretch that its first byte is in. One that stands for no bytes
    /// is of the stretch that goes on where it stands, at the end of the text of the last.
    /// </summary>
    public (TokenIds Ids, List<Stretch> Stretches) Encode(Tokenizer tokenizer, string where)
    {
        StretchSink sink = new(new TokenIds.Writer(tokenizer.GuessCount(Text.Bytes), tokenizer.Vocabulary), [.. stretches]);
        tokenizer.Encode(Text.Bytes, where, ref sink);
        return sink.Finish();
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

    /// <summary>Packs ids and counts how many there are of each stretch, so that no token's place has to be kept.</summary>
    private struct StretchSink(TokenIds.Writer ids, Stretch[] bytes) : ITokenSink
    {
        private readonly List<Stretch> tokens = new(bytes.Length);
        private TokenIds.Writer ids = ids;
        private int end = bytes.Length > 1 ? bytes[0].End : int.MaxValue; // of the stretch in hand, in bytes; the last one takes all
        private int count, begun;                                        // tokens, and of them before the stretch in hand

        public void Add(int id, int start)
        {
            while (start >= end)
                NextStretch();
            ids.Add(id);
            count++;
        }

        public (TokenIds Ids, List<Stretch> Stretches) Finish()
        {
            while (tokens.Count < bytes.Length)
                NextStretch();
            return (ids.Written, tokens);
        }

        private void NextStretch()
        {
            tokens.Add(bytes[tokens.Count] with { Start = begun, Length = count - begun });
            begun = count;
            end = tokens.Count < bytes.Length - 1 ? bytes[tokens.Count].End : int.MaxValue;
        }
    }
}
