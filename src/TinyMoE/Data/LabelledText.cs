using TinyMoE.Tokenizers;

namespace TinyMoE.Data;

/// <summary>A text that grows at its end, and the labels of its stretches.</summary>
internal sealed class LabelledText : IDisposable
{
    private const int TokensBetweenLooks = 1 << 20; // at whether to stop

    private readonly List<string> names = [];
    private readonly Dictionary<string, int> labels = [];
    private readonly List<Stretch> stretches = [];
    private readonly List<TextFile> files = [];

    /// <summary>No text; the labels that a model knows keep their places, others come behind them.</summary>
    public LabelledText(LabelSet? known = null)
    {
        foreach (string name in known ?? Enumerable.Empty<string>())
            LabelOf(name);
    }

    /// <summary>No text; what a person should know of its files joins these notes.</summary>
    public LabelledText(TextNotes notes) => Notes = notes;

    /// <summary>The bytes of the text, in UTF-8 or as they were read.</summary>
    public TextBuffer Text { get; } = new();

    /// <summary>The stretches in bytes, one behind the other.</summary>
    public IReadOnlyList<Stretch> Stretches => stretches;

    /// <summary>What a person should know of how the files were read.</summary>
    public TextNotes Notes { get; } = new();

    /// <summary>The known labels and then the text's, in the order of their first appearance.</summary>
    public LabelSet Labels => new(names);

    /// <summary>
    /// Says that what will be added comes from a file. Where its text is not its lines, <paramref name="findLine"/> has the line of the
    /// byte at a place of its text.
    /// </summary>
    public void BeginFile(string name, Func<int, int>? findLine = null) => files.Add(new TextFile(Text.Length, name, findLine));

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
    public (TokenIds Ids, List<Stretch> Stretches) Encode(Tokenizer tokenizer, string where, CancellationToken stop = default) =>
        Encode(tokenizer, where, stretches, stop);

    /// <summary>The ids of the text, and these stretches of bytes, which follow each other, in tokens.</summary>
    public (TokenIds Ids, List<Stretch> Stretches) Encode(
        Tokenizer tokenizer, string where, IReadOnlyList<Stretch> bytes, CancellationToken stop = default)
    {
        StretchSink sink = new(new TokenIds.Writer(tokenizer.GuessCount(Text.Bytes), tokenizer.Vocabulary), [.. bytes], stop);
        try
        {
            tokenizer.Encode(Text.Bytes, where, ref sink);
        }
        catch (UnknownTextException e) when (files.Count > 0)
        {
            throw new UnknownTextException($"{NameOf(e.Place)}: {e.What}", e.What, e.Place);
        }

        return sink.Finish();
    }

    /// <summary>Gives the text's memory back.</summary>
    public void Dispose() => Text.Dispose();

    /// <summary>The file, the line and where it tells something the column of a byte of the text.</summary>
    private string NameOf(int place)
    {
        TextFile file = files.FindLast(file => file.Start <= place);
        if (file.FindLine is not null)
            return $"{file.Name}, line {file.FindLine(place - file.Start)}";
        ReadOnlySpan<byte> before = Text.Bytes[file.Start..place];
        int line = 1 + before.Count((byte)'\n'), column = 1;
        foreach (byte value in before[(before.LastIndexOf((byte)'\n') + 1)..])
            column += (value & 0xC0) == 0x80 ? 0 : 1; // a character's first byte counts
        return $"{file.Name}, line {line}, column {column}";
    }

    private int LabelOf(string name)
    {
        if (!labels.TryGetValue(name, out int label))
        {
            labels.Add(name, label = names.Count);
            names.Add(name);
        }

        return label;
    }

    /// <summary>Where the text of a file begins.</summary>
    private readonly record struct TextFile(int Start, string Name, Func<int, int>? FindLine);

    /// <summary>Packs ids and counts how many there are of each stretch, so that no token's place has to be kept.</summary>
    private struct StretchSink(TokenIds.Writer ids, Stretch[] bytes, CancellationToken stop) : ITokenSink
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
            if (++count % TokensBetweenLooks == 0)
                stop.ThrowIfCancellationRequested();
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
