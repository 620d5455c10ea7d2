using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Tokenizers;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Data;

public sealed class CorpusLabelsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Load_OneSource_HasOneLabelAndTheSplitAndFingerprintOfBefore()
    {
        string path = folder.Write("a.txt", Lines("abc", 100));

        Corpus corpus = Corpus.Load(new DataConfig { Sources = [path] });

        Assert.Equal(["a"], corpus.Labels);
        Assert.Equal((360, 40), (corpus.Train.Length, corpus.Validation.Length));
        // What the version before labels computed for this text.
        Assert.Equal("0e14677ee4833c1084341d7cbf235477bbf1813468bfc08048155f85e602359a", corpus.Fingerprint);
        Assert.Equal(corpus.Fingerprint, Corpus.Load(new DataConfig { Sources = ["letters=" + path] }).Fingerprint);
    }

    [Fact]
    public void Load_Sources_HoldOutTheEndOfEachAndLabelEveryToken()
    {
        folder.Write("one/1.txt", Lines("a", 30));
        folder.Write("one/2.txt", Lines("b", 20));
        string other = folder.Write("two.txt", Lines("c", 100));

        Corpus corpus = Corpus.Load(new DataConfig { Sources = [folder["one/*.txt"], "named=" + other] });

        Assert.Equal(["one", "named"], corpus.Labels);
        Assert.Equal(Lines("a", 30) + Lines("b", 15) + Lines("c", 90), Text(corpus, corpus.Train));
        Assert.Equal(Lines("b", 5) + Lines("c", 10), Text(corpus, corpus.Validation));
        Assert.Equal(Pattern((0, 90), (1, 179)), TrainLabels(corpus));
        Assert.Equal(Pattern((0, 10), (1, 19)), ValidationLabels(corpus, 29));
    }

    [Fact]
    public void Load_FilesOfOneName_ShareALabelAndHoldOutItsEnd()
    {
        folder.Write("x/a.txt", Lines("a", 50));
        folder.Write("x/b.txt", Lines("b", 40));
        folder.Write("y/a.md", Lines("c", 50));

        Corpus corpus = Corpus.Load(new DataConfig { Sources = [folder.Root], Labels = LabelKind.File });

        Assert.Equal(["a", "b"], corpus.Labels);
        Assert.Equal(Lines("a", 50) + Lines("b", 36) + Lines("c", 40), Text(corpus, corpus.Train));
        Assert.Equal(Lines("b", 4) + Lines("c", 10), Text(corpus, corpus.Validation));
        Assert.Equal(Pattern((0, 100), (1, 72), (0, 79)), TrainLabels(corpus));
        Assert.Equal(Pattern((1, 8), (0, 19)), ValidationLabels(corpus, 27));
    }

    [Fact]
    public void Load_RecordsInTurn_HoldOutTheEndOfEachLabel()
    {
        string records = string.Concat(Enumerable.Range(0, 20).Select(i =>
            $$"""{"text": "{{(char)('a' + i)}}é", "label": "{{(i % 2 == 0 ? "even" : "odd")}}"}""" + "\n"));
        string path = folder.Write("r.jsonl", records);

        Corpus corpus = Corpus.Load(new DataConfig { Sources = [path], Labels = LabelKind.Record, Validation = 0.2f });

        Assert.Equal(["even", "odd"], corpus.Labels);
        Assert.Equal(string.Concat(Enumerable.Range(0, 16).Select(i => $"{(char)('a' + i)}é\n")), Text(corpus, corpus.Train));
        Assert.Equal("qé\nré\nsé\nté\n", Text(corpus, corpus.Validation));
        Assert.Equal(Enumerable.Range(0, 47).Select(i => i / 3 % 2), TrainLabels(corpus));
        Assert.Equal([0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1], ValidationLabels(corpus, 11));
    }

    [Fact]
    public void Load_WithTheLabelsOfAModel_NumbersByNameAndUnknownOnesBehind()
    {
        string prose = folder.Write("prose.txt", Lines("a", 10)), poems = folder.Write("poems.txt", Lines("b", 10));

        DataConfig data = new() { Sources = [prose, poems], Validation = 0.5f };
        Corpus corpus = Corpus.Load(data, known: new LabelSet(["poems", "letters"]));

        Assert.Equal(["poems", "letters", "prose"], corpus.Labels);
        Assert.Equal(Pattern((2, 10), (0, 9)), TrainLabels(corpus));
    }

    [Fact]
    public void Fingerprint_OfSeveralSources_DependsOnLabelsButNotOnTheirNames()
    {
        string a = folder.Write("a.txt", Lines("a", 20)), b = folder.Write("b.txt", Lines("b", 20));

        string fingerprint = Fingerprint(a, b);

        Assert.Equal(fingerprint, Fingerprint("x=" + a, "y=" + b));
        Assert.NotEqual(fingerprint, Fingerprint("x=" + a, "x=" + b));
        Assert.NotEqual(fingerprint, Fingerprint(folder.Root));

        static string Fingerprint(params string[] sources) => Corpus.Load(new DataConfig { Sources = sources }).Fingerprint;
    }

    [Fact]
    public void Windows_AtAnyPlace_HaveTheLabelsOfTheirInputs()
    {
        // 1 to 6 tokens with the label that is also their id; all in one part, so that the order stays.
        int[] ids = [.. Enumerable.Range(0, 60).SelectMany(i => Enumerable.Repeat(i * i % 7, 1 + (i % 6)))];
        List<Stretch> stretches = [.. Enumerable.Range(0, ids.Length).Select(i => new Stretch(i, 1, ids[i], 0))];
        Corpus corpus = new(new ByteTokenizer(), TokenIds.Of(ids, 7), 0.3f, new LabelSet("0123456".Select(c => $"{c}")), stretches);

        foreach (int context in new[] { 1, 2, 5, 33 })
        {
            int[] inputs = new int[40 * context], targets = new int[inputs.Length], labels = new int[inputs.Length];
            corpus.TrainBatch(1, 1, 0, context, inputs, targets, labels);
            Assert.Equal(inputs, labels);
            for (int i = 0; i < corpus.ValidationWindows(context); i++)
            {
                corpus.ValidationWindow(i, inputs.AsSpan(0, context), targets.AsSpan(0, context), labels.AsSpan(0, context));
                Assert.Equal(inputs[..context], labels[..context]);
            }
        }

        Assert.Throws<ArgumentException>(() => corpus.TrainBatch(1, 1, 0, 4, new int[8], new int[8], new int[4]));
        Assert.Throws<ArgumentException>(() => corpus.ValidationWindow(0, new int[8], new int[8], new int[4]));
    }

    [Fact]
    public void Windows_WithLabels_AreThoseWithout()
    {
        folder.Write("a.txt", Lines("abc", 50));
        folder.Write("b.txt", Lines("def", 50));
        Corpus corpus = Corpus.Load(new DataConfig { Sources = [folder.Root], Labels = LabelKind.File });
        int[] inputs = new int[24], targets = new int[24], again = new int[24], labels = new int[24];

        corpus.TrainBatch(1, 2, 0, 8, inputs, targets);
        corpus.TrainBatch(1, 2, 0, 8, again, targets, labels);

        Assert.Equal(inputs, again);
        for (int i = 0; i < inputs.Length; i++)
        {
            if (corpus.Tokenizer.Decode([inputs[i]]) is not "\n" and string letter) // both files have new lines
                Assert.Equal("def".Contains(letter, StringComparison.Ordinal) ? 1 : 0, labels[i]);
        }
    }

    [Fact]
    public void TrainFrequencies_AreCountsOfTheTrainingPart()
    {
        Corpus corpus = new(new ByteTokenizer(), [.. Enumerable.Range(0, 9000).Select(i => i % 3), .. Enumerable.Repeat(7, 1000)], 0.1f);

        Assert.Equal([3000, 3000, 3000, .. new int[253]], corpus.TrainFrequencies());
    }

    [Fact]
    public void Encode_TokensAcrossStretches_HaveTheLabelOfTheirFirstByte()
    {
        MergeTokenizer tokenizer = new("abc", "\ne", "é");
        using LabelledText text = new();
        foreach ((string piece, string label) in new[] { ("xab", "one"), ("c\n", "two"), ("e", "none of it"), ("é", "one"), ("y", "two") })
        {
            text.Text.Append(System.Text.Encoding.UTF8.GetBytes(piece));
            text.Label(text.Text.Length, label, part: null);
        }

        (TokenIds ids, List<Stretch> stretches) = text.Encode(tokenizer, "the text");

        // begin x | abc begins in "one", so all of it does | \ne begins in "two" | é | y
        int[] expected = [MergeTokenizer.Begin, 2 + 'x', tokenizer.IdOf("abc"), tokenizer.IdOf("\ne"), tokenizer.IdOf("é"), 2 + 'y'];
        Assert.Equal(expected, ids.ToArray());
        Assert.Equal([new Stretch(0, 3, 0, 0), new(3, 1, 1, 1), new(4, 0, 2, 2), new(4, 1, 0, 0), new(5, 1, 1, 1)], stretches);

        Corpus corpus = new(tokenizer, ids, 0.5f, text.Labels, stretches);
        Assert.Equal([MergeTokenizer.Begin, 2 + 'x', tokenizer.IdOf("\ne")], corpus.Train.ToArray());
        Assert.Equal([tokenizer.IdOf("abc"), tokenizer.IdOf("é"), 2 + 'y'], corpus.Validation.ToArray());
        Assert.Equal([0, 0], ValidationLabels(corpus, 2));
    }

    [Fact]
    public void Fingerprint_OfPiecesCutElsewhere_Differs()
    {
        int[] ids = [.. Enumerable.Range(0, 50)];

        Assert.NotEqual(Fingerprint("ab", "c"), Fingerprint("a", "bc"));

        string Fingerprint(params string[] pieces) => new Corpus(new MergeTokenizer(pieces), ids, 0.1f).Fingerprint;
    }

    [Fact]
    public void Load_ANameWhereLabelsAreOfFiles_IsAClearError()
    {
        string path = folder.Write("a.txt", "text");

        DataConfig named = new() { Sources = ["x=" + path], Labels = LabelKind.File }, builtIn = new() { Labels = LabelKind.Record };
        Assert.Contains("data.labels=source", OneLine.Of(() => Corpus.Load(named)));
        Assert.Contains("sdk-docs", Assert.Throws<TinyMoEException>(() => Corpus.Load(builtIn)).Message);
    }

    [Fact]
    public void Load_SdkDocsBesideAFile_LabelsBothAndHoldsOutOfBoth()
    {
        string path = folder.Write("a.txt", Lines("a", 100));

        Corpus alone = Corpus.Load(new DataConfig { Sources = [DataConfig.SdkDocs] });
        Corpus both = Corpus.Load(new DataConfig { Sources = ["docs=sdk-docs", path] });
        Corpus byFile = Corpus.Load(new DataConfig { Sources = [DataConfig.SdkDocs, path], Labels = LabelKind.File });

        Assert.Equal(["docs", "a"], both.Labels);
        Assert.Equal(["sdk-docs", "a"], byFile.Labels);
        Assert.Equal((alone.Train.Length + 180, alone.Validation.Length + 20), (both.Train.Length, both.Validation.Length));
        Assert.Equal(both.Fingerprint, byFile.Fingerprint);
    }

    private static string Lines(string line, int count) => string.Concat(Enumerable.Repeat(line + "\n", count));

    private static int[] Pattern(params (int Label, int Count)[] runs) =>
        [.. runs.SelectMany(run => Enumerable.Repeat(run.Label, run.Count))];

    private static string Text(Corpus corpus, TokenIds ids) => corpus.Tokenizer.Decode(ids.ToArray());

    // The labels of the training part but its last: there is one window of that length, at its start.
    private static int[] TrainLabels(Corpus corpus)
    {
        int length = corpus.Train.Length, context = length - 1;
        int[] inputs = new int[context], targets = new int[context], labels = new int[context];
        corpus.TrainBatch(1, 1, 0, context, inputs, targets, labels);
        Assert.Equal(corpus.Train.ToArray()[..context], inputs);
        return labels;
    }

    private static int[] ValidationLabels(Corpus corpus, int context)
    {
        int[] inputs = new int[context], labels = new int[context];
        corpus.ValidationWindow(0, inputs, new int[context], labels);
        Assert.Equal(corpus.Validation.ToArray()[..context], inputs);
        return labels;
    }
}
