using System.Text;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>What every tokenizer gets from the base class, seen with one whose ids stand for none or for many bytes.</summary>
public sealed class MergeTokenizerTests
{
    private readonly MergeTokenizer tokenizer = new("th", "the", " the", "é😀");

    [Fact]
    public void Encode_PiecesAndASpecialToken_GoesThereAndBack()
    {
        int[] ids = tokenizer.Encode("the\r\n thé😀");

        Assert.Equal([MergeTokenizer.Begin, tokenizer.IdOf("the"), 2 + '\n', 2 + ' ', tokenizer.IdOf("th"), tokenizer.IdOf("é😀")], ids);
        Assert.Equal("the\n thé😀", tokenizer.Decode(ids));
        Assert.Equal(Encoding.UTF8.GetByteCount("the\n thé😀"), tokenizer.ByteCount(ids));
        Assert.Equal((0, 3), (tokenizer.ByteCount(MergeTokenizer.Begin), tokenizer.ByteCount(tokenizer.IdOf("the"))));
    }

    [Fact]
    public void EncodeUtf8_MoreTokensThanGuessed_KeepsThemAll()
    {
        byte[] text = [.. Enumerable.Range(0, 10_000).Select(i => (byte)('a' + i % 3))]; // guessed: a quarter of it
        int[] ids = tokenizer.EncodeUtf8(text, "the text").ToArray();

        Assert.Equal([MergeTokenizer.Begin, .. text.Select(value => 2 + value)], ids);
    }

    [Fact]
    public void Decoder_IdsOfNoneAndOfManyBytes_GivesTextAsItIsComplete()
    {
        string longPiece = new('x', 100);
        MergeTokenizer merge = new(longPiece + "é");
        TokenDecoder decoder = merge.NewDecoder();

        Assert.Equal("", decoder.Push(MergeTokenizer.Begin));
        Assert.Equal(longPiece + "é", decoder.Push(merge.IdOf(longPiece + "é")));
        Assert.Equal("", decoder.Push(2 + 0xC3));
        Assert.Equal("", decoder.Push(MergeTokenizer.Pad)); // inside a character
        Assert.Equal("é", decoder.Push(2 + 0xA9));
        Assert.Equal("", decoder.Push(2 + 0xE2));
        Assert.Equal("\uFFFD" + longPiece + "é", decoder.Push(merge.IdOf(longPiece + "é")));
        Assert.Equal("", decoder.Flush());
    }

    [Fact]
    public void Start_OfTheBaseClass_IsTheNewLineOrTheFirstIdWithBytes()
    {
        Assert.Equal([MergeTokenizer.Begin], tokenizer.Start);
        Assert.Equal([2], new Plain("a\n").Start);
        Assert.Equal([1], new Plain("ab").Start);
        Assert.Equal([0], new Plain("").Start);
    }

    [Fact]
    public void Save_ThenLoad_OfAKindThatTheReaderKnows_IsTheSame()
    {
        using TemporaryFolder folder = new();
        tokenizer.Save(folder["tokenizer.json"]);

        byte[] saved = File.ReadAllBytes(folder["tokenizer.json"]);
        Tokenizer loaded = Tokenizer.Read(saved, "tokenizer.json", [.. TokenizerType.All, MergeTokenizer.Description]);

        Assert.Equal(tokenizer.Encode("the thé😀"), loaded.Encode("the thé😀"));
        Assert.Contains("kind 'merge'; 'char', 'byte' and 'bpe' are known", OneLine.Of(() => Tokenizer.Load(folder["tokenizer.json"])));
    }

    /// <summary>Id 0 stands for nothing; ids 1, 2, ... for the characters of a text.</summary>
    private sealed class Plain(string text) : Tokenizer
    {
        public override TokenizerType Type => MergeTokenizer.Description;

        public override int Vocabulary => text.Length + 1;

        public override void Encode<TSink>(ReadOnlySpan<byte> utf8, string where, ref TSink sink) => throw new NotSupportedException();

        public override ReadOnlySpan<byte> Bytes(int id) => id == 0 ? [] : Encoding.UTF8.GetBytes($"{text[id - 1]}");
    }
}
