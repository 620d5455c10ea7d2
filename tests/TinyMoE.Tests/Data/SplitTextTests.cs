using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Data;

/// <summary>Corpora of a byte-pair tokenizer: the text is split before it is tokens.</summary>
public sealed class SplitTextTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Load_Bpe_HoldsOutTheSameTextAsChar()
    {
        string path = folder.Write("a.txt", Lines(500));
        Corpus chars = Corpus.Load(new DataConfig { Sources = [path] }), pieces = Corpus.Load(Bpe(path));
        Assert.Equal(Text(chars.Train, chars), Text(pieces.Train, pieces));
        Assert.Equal(Text(chars.Validation, chars), Text(pieces.Validation, pieces));
        Assert.True(pieces.Train.Length < chars.Train.Length / 2);
        Assert.Equal(pieces.Fingerprint, Corpus.Load(Bpe(path)).Fingerprint);
        Assert.Equal(pieces.Fingerprint, Corpus.Load(Bpe(path), pieces.Tokenizer).Fingerprint);
    }

    [Fact]
    public void Load_Bpe_LearnsNothingFromWhatIsHeldOut()
    {
        string path = folder.Write("a.txt", Lines(500) + string.Concat(Enumerable.Repeat("zzqq zzqq\n", 60)));
        Corpus corpus = Corpus.Load(Bpe(path));
        Assert.Contains("zzqq", Text(corpus.Validation, corpus));
        Assert.DoesNotContain("zzqq", Text(corpus.Train, corpus));
        Assert.Null(corpus.Tokenizer.FindToken("zz"));
        Assert.NotNull(corpus.Tokenizer.FindToken("Ġcat"));
    }

    [Fact]
    public void Load_Bpe_OfSeveralSources_HoldsOutTheEndOfEach()
    {
        string one = folder.Write("one.txt", Lines(200));
        string two = folder.Write("two.txt", string.Concat(Enumerable.Repeat("Größe 中文\n", 100)));
        Corpus pieces = Corpus.Load(Bpe(one, two));
        string heldOut = Text(pieces.Validation, pieces);
        Assert.Contains("中文", heldOut);
        Assert.Contains("cat", heldOut);
        Assert.DoesNotContain('\uFFFD', heldOut); // no character is cut
        Assert.DoesNotContain('\uFFFD', Text(pieces.Train, pieces));
        Assert.Equal(2, pieces.Labels.Count);
        Assert.Equal(Lines(200).Length + 100 * "Größe 中文\n".Length, heldOut.Length + Text(pieces.Train, pieces).Length);
    }

    [Fact]
    public void Load_Bpe_AllHeldOut_IsTheTextInItsOrder()
    {
        string one = folder.Write("one.txt", Lines(20)), two = folder.Write("two.txt", Lines(30));
        Corpus corpus = Corpus.Load(Bpe(one, two)), whole = corpus.AllHeldOut();
        Assert.Equal(Lines(20) + Lines(30), Text(whole.Validation, whole));
    }

    [Fact]
    public void Load_Bpe_TextWithoutPairsLeft_SaysSo()
    {
        Corpus corpus = Corpus.Load(Bpe(folder.Write("a.txt", Lines(50))) with { TokenizerVocabulary = 4096 });
        Assert.InRange(corpus.Tokenizer.Vocabulary, 258, 500);
        Assert.Contains(corpus.Notes, note => note.Contains("no pairs left for data.tokenizer_vocabulary=4096", StringComparison.Ordinal));
    }

    [Fact]
    public void Load_TokenizerFile_IsTaken_AndOfItsKind()
    {
        string path = folder.Write("a.txt", Lines(100)), file = folder["tokenizer.json"];
        Corpus trained = Corpus.Load(Bpe(path));
        trained.Tokenizer.Save(file);
        DataConfig data = Bpe(path) with { TokenizerFile = file };
        Assert.Equal(trained.Fingerprint, Corpus.Load(data).Fingerprint);
        Assert.Contains("set data.tokenizer=bpe", OneLine.Of(() => Corpus.Load(data with { Tokenizer = TokenizerKind.Byte })));
    }

    private static DataConfig Bpe(params string[] sources) =>
        new() { Sources = sources, Tokenizer = TokenizerKind.Bpe, TokenizerVocabulary = 300 };

    private static string Lines(int count) => string.Concat(Enumerable.Range(0, count).Select(i => $"the cat sat on mat {i % 10}.\n"));

    private static string Text(TokenIds ids, Corpus corpus)
    {
        List<byte> bytes = [];
        foreach (int id in ids.ToArray())
            bytes.AddRange(corpus.Tokenizer.Bytes(id));
        return Encoding.UTF8.GetString([.. bytes]);
    }
}
