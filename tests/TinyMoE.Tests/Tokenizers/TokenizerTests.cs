using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

public sealed class TokenizerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Char_Ids_AreTheRanksOfTheCodePoints()
    {
        Tokenizer tokenizer = Char("bab\né😀");

        Assert.Equal(5, tokenizer.Vocabulary); // \n a b é 😀
        Assert.Equal([2, 1, 2, 0, 3, 4], tokenizer.Encode("bab\né😀"));
        Assert.Equal([2, 0, 1], tokenizer.Encode("b\r\na"));
        Assert.Equal("😀ab", tokenizer.Decode([4, 1, 2]));
        Assert.Equal([1, 1, 1, 2, 4], Enumerable.Range(0, 5).Select(tokenizer.ByteCount));
        Assert.Equal(7, tokenizer.ByteCount([4, 3, 0]));
    }

    [Fact]
    public void Char_UnknownCharacter_IsNamedWithCodePointAndPosition()
    {
        Tokenizer tokenizer = Char("ab");

        Assert.StartsWith(
            "The character 'é' (U+00E9) at position 2 of the text is not among the 2", OneLine.Of(() => tokenizer.Encode("abé")));
        Assert.StartsWith("The character U+000A at position 1", OneLine.Of(() => tokenizer.Encode("a\nb")));
        Assert.Contains("U+FFFD", OneLine.Of(() => tokenizer.Encode("a\ud800"))); // half a surrogate pair
    }

    [Fact]
    public void Byte_AnyBytes_GoThereAndBack()
    {
        Tokenizer tokenizer = new ByteTokenizer();
        byte[] all = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];

        int[] ids = tokenizer.EncodeUtf8(all, "all").ToArray();

        Assert.Equal(Enumerable.Range(0, 256), ids);
        Assert.Equal(all, ids.SelectMany(id => tokenizer.Bytes(id).ToArray()));
        Assert.Equal(256, tokenizer.ByteCount(ids));
        Assert.Equal("a\r\n", tokenizer.Decode(tokenizer.Encode("a\r\n")));
    }

    [Fact]
    public void Decoder_OfBytes_GivesACharacterWithItsLastByte()
    {
        Tokenizer tokenizer = new ByteTokenizer();
        TokenDecoder decoder = tokenizer.NewDecoder();

        string[] pieces = [.. Encoding.UTF8.GetBytes("aé€😀").Select(value => decoder.Push(value)), decoder.Flush()];

        Assert.Equal(["a", "", "é", "", "", "€", "", "", "", "😀", ""], pieces);
    }

    [Fact]
    public void Decoder_OfInvalidBytes_GivesReplacementCharacters()
    {
        Tokenizer tokenizer = new ByteTokenizer();
        TokenDecoder decoder = tokenizer.NewDecoder();

        Assert.Equal("\uFFFD", decoder.Push(0xFF));
        Assert.Equal("", decoder.Push(0xE2));
        Assert.Equal("\uFFFDa", decoder.Push('a'));
        Assert.Equal("", decoder.Push(0xF0));
        Assert.Equal("\uFFFD", decoder.Flush());
        Assert.Equal("", decoder.Flush());
        Assert.Equal("\uFFFD\uFFFD", tokenizer.Decode([0x80, 0xC3]));
    }

    [Theory]
    [InlineData(TokenizerKind.Char)]
    [InlineData(TokenizerKind.Byte)]
    public void Save_ThenLoad_IsTheSameTokenizer(TokenizerKind kind)
    {
        const string Text = "<\"\\ \n\té😀\u0001";
        Tokenizer tokenizer = Tokenizer.For(kind, Encoding.UTF8.GetBytes(Text));
        string path = folder["tokenizer.json"];

        tokenizer.Save(path);
        Tokenizer loaded = Tokenizer.Load(path);

        Assert.Same(TokenizerType.Of(kind), loaded.Type);
        Assert.Same(tokenizer.Type, loaded.Type);
        Assert.Equal(tokenizer.Vocabulary, loaded.Vocabulary);
        Assert.Equal(tokenizer.Encode(Text), loaded.Encode(Text));
        Assert.Equal(Text, loaded.Decode(loaded.Encode(Text)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[1]")]
    [InlineData("{}")]
    [InlineData("{\"kind\":7}")]
    [InlineData("{\"kind\":\"word\"}")]
    [InlineData("{\"kind\":\"char\"}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[]}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[1]}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[null]}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[\"\"]}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[\"ab\"]}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[\"b\",\"a\"]}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[\"a\",\"a\"]}")]
    [InlineData("{\"kind\":\"char\",\"symbols\":[\"\\ud800\"]}")]
    public void Load_AnotherFile_IsAnErrorThatNamesIt(string content)
    {
        string path = folder.Write("tokenizer.json", content);
        Assert.Contains(path, OneLine.Of(() => Tokenizer.Load(path)));
    }

    [Fact]
    public void Load_NoFile_SaysSo() => Assert.Contains("no such file", OneLine.Of(() => Tokenizer.Load(folder["none.json"])));

    [Theory]
    [InlineData(TokenizerKind.Char)]
    [InlineData(TokenizerKind.Byte)]
    public void Encode_Offsets_AreThoseOfTheFirstBytes(TokenizerKind kind)
    {
        byte[] text = Encoding.UTF8.GetBytes("aé€😀\nb");
        Tokenizer tokenizer = Tokenizer.For(kind, text);
        OffsetSink sink = new([]);

        tokenizer.Encode(text, "the text", ref sink);

        int end = 0;
        foreach ((int id, int start) in sink.Tokens)
        {
            Assert.Equal(end, start);
            Assert.True(text.AsSpan(start).StartsWith(tokenizer.Bytes(id)));
            end += tokenizer.ByteCount(id);
        }

        Assert.Equal(text.Length, end);
    }

    [Fact]
    public void Of_EveryKindOfTheConfiguration_HasItsType() =>
        Assert.Equal(["char", "byte", "bpe"], Enum.GetValues<TokenizerKind>().Select(kind => TokenizerType.Of(kind).Name));

    private static Tokenizer Char(string text) => Tokenizer.For(TokenizerKind.Char, Encoding.UTF8.GetBytes(text));

    private readonly struct OffsetSink(List<(int Id, int Start)> tokens) : ITokenSink
    {
        public List<(int Id, int Start)> Tokens => tokens;

        public void Add(int id, int start) => tokens.Add((id, start));
    }
}
