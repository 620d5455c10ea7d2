using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Data;

public sealed class CorpusTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Load_File_ValidatesOnItsEnd()
    {
        string path = folder.Write("a.txt", string.Concat(Enumerable.Repeat("abcdefghi\n", 100)));

        Corpus corpus = Corpus.Load(new DataConfig { Sources = [path] });

        Assert.Equal(10, corpus.Tokenizer.Vocabulary);
        Assert.Equal((900, 100), (corpus.Train.Length, corpus.Validation.Length));
        Assert.Equal("abcdefghi\nab", corpus.Tokenizer.Decode(corpus.Validation[..12].ToArray()));
    }

    [Fact]
    public void Load_WithTheTokenizerOfAModel_UsesItsIdsAndKind()
    {
        string path = folder.Write("a.txt", "bbbb\r\n");

        Assert.Equal("bbbb\r\n", Text(Corpus.Load(new DataConfig { Sources = [path] }, new ByteTokenizer())));
        Tokenizer three = Tokenizer.For(TokenizerKind.Char, "a\nb"u8), one = Tokenizer.For(TokenizerKind.Char, "a"u8);
        DataConfig bytes = new() { Sources = [path], Tokenizer = TokenizerKind.Byte }, chars = new() { Sources = [path] };
        Assert.Equal([2, 2, 2, 2], Corpus.Load(bytes, three).Train.ToArray());
        Assert.Contains($"{path}, line 1, column 1: the character 'b' (U+0062) is not among", OneLine.Of(() => Corpus.Load(chars, one)));
    }

    [Fact]
    public void Fingerprint_DependsOnIdsSplitAndSymbols()
    {
        Tokenizer ab = Tokenizer.For(TokenizerKind.Char, "ab"u8), xy = Tokenizer.For(TokenizerKind.Char, "xy"u8);
        int[] ids = [0, 1, 1, 0, 1, 0, 0, 1, 0, 1];

        string[] fingerprints =
        [
            new Corpus(ab, ids, 0.1f).Fingerprint, new Corpus(xy, ids, 0.1f).Fingerprint, new Corpus(ab, ids, 0.2f).Fingerprint,
            new Corpus(ab, [.. ids[..^1], 0], 0.1f).Fingerprint,
        ];

        Assert.Equal(4, fingerprints.Distinct().Count());
        Assert.Equal(fingerprints[0], new Corpus(Tokenizer.For(TokenizerKind.Char, "ba"u8), ids, 0.1f).Fingerprint);
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(1f)]
    [InlineData(-0.1f)]
    [InlineData(float.NaN)]
    public void Create_ImpossibleValidationShare_IsAClearError(float share) =>
        Assert.Contains("data.validation", OneLine.Of(() => _ = new Corpus(new ByteTokenizer(), new int[10], share)));

    [Fact]
    public void CheckContext_TooShort_SaysHowManyAreThereAndNeeded()
    {
        Corpus corpus = Numbers(100);

        corpus.CheckContext(9);
        Assert.StartsWith(
            "The validation part of the text has 10 tokens, and a context of 10 needs at least 11",
            OneLine.Of(() => corpus.CheckContext(10)));
        Assert.StartsWith("The training part of the text has 90 tokens", OneLine.Of(() => corpus.CheckContext(90)));
        Assert.StartsWith("The training part", OneLine.Of(() => corpus.TrainBatch(1, 0, 0, 90, new int[90], new int[90])));
        Assert.StartsWith("The validation part", OneLine.Of(() => corpus.ValidationWindow(0, new int[10], new int[10])));
    }

    [Fact]
    public void TrainBatch_Windows_AreConsecutiveIdsAndReachBothEnds()
    {
        const int Context = 5, Batch = 400;
        Corpus corpus = Numbers(20); // training: 0..17
        int[] inputs = new int[Batch * Context], targets = new int[Batch * Context];

        corpus.TrainBatch(7, 3, 0, Context, inputs, targets);

        for (int b = 0; b < Batch; b++)
        {
            Assert.Equal(Enumerable.Range(inputs[b * Context], Context), inputs[(b * Context)..((b + 1) * Context)]);
            Assert.Equal(Enumerable.Range(inputs[b * Context] + 1, Context), targets[(b * Context)..((b + 1) * Context)]);
        }

        Assert.Equal(Enumerable.Range(0, 13), Enumerable.Range(0, Batch).Select(b => inputs[b * Context]).Distinct().Order());
    }

    [Fact]
    public void TrainBatch_InParts_IsTheWholeBatch()
    {
        const int Context = 4;
        Corpus corpus = Numbers(1000);
        int[] whole = Inputs(1, 5, 0, 6), part = Inputs(1, 5, 2, 3);

        Assert.Equal(whole[(2 * Context)..(5 * Context)], part);
        Assert.Equal(whole, Inputs(1, 5, 0, 6));
        Assert.NotEqual(whole, Inputs(1, 6, 0, 6));
        Assert.NotEqual(whole, Inputs(2, 5, 0, 6));

        int[] Inputs(ulong seed, int step, int first, int count)
        {
            int[] inputs = new int[count * Context];
            corpus.TrainBatch(seed, step, first, Context, inputs, new int[count * Context]);
            return inputs;
        }
    }

    [Fact]
    public void ValidationWindows_LaidEndToEnd_CoverThePartOnce()
    {
        Corpus corpus = Numbers(170); // validation: 153..169
        int[] inputs = new int[4], targets = new int[4], seen = new int[17];

        Assert.Equal(4, corpus.ValidationWindows(4));
        for (int i = 0; i < 4; i++)
        {
            corpus.ValidationWindow(i, inputs, targets);
            Assert.Equal(inputs.Select(id => id + 1), targets);
            foreach (int target in targets)
                seen[target - 153]++;
        }

        Assert.Equal([0, .. Enumerable.Repeat(1, 16)], seen); // only the first id is never a target
        Assert.Throws<ArgumentOutOfRangeException>(() => corpus.ValidationWindow(4, inputs, targets));
        Assert.Equal(0, corpus.ValidationWindows(17));
    }

    [Fact]
    public void SpreadValidationWindows_AnyNumber_IsEvenAndInRange()
    {
        Corpus corpus = Numbers(1010); // validation: 101 ids, 10 windows of 10

        Assert.Equal(Enumerable.Range(0, 10), corpus.SpreadValidationWindows(10, 0));
        Assert.Equal(Enumerable.Range(0, 10), corpus.SpreadValidationWindows(10, 99));
        Assert.Equal([0, 3, 6], corpus.SpreadValidationWindows(10, 3));
        Assert.Equal([0, 2, 4, 6, 8], corpus.SpreadValidationWindows(10, 5));
    }

    // 0, 1, 2, ... of which the last tenth validates; the tokenizer plays no part.
    private static Corpus Numbers(int count) => new(new ByteTokenizer(), TokenIds.Of([.. Enumerable.Range(0, count)], count), 0.1f);

    private static string Text(Corpus corpus) => corpus.Tokenizer.Decode([.. corpus.Train.ToArray(), .. corpus.Validation.ToArray()]);
}
