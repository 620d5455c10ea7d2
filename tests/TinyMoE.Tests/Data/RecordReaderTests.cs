using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Data;

public sealed class RecordReaderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(TokenizerKind.Char, "one\ntwo\nü\u2028\nfour\n")]
    [InlineData(TokenizerKind.Byte, "one\r\ntwo\nü\u2028\nfour\n")]
    public void Read_Records_FollowEachOtherEachEndedByANewLine(TokenizerKind kind, string expected)
    {
        string path = folder.Write("a.jsonl", "\uFEFF" + """
            {"text": "one\r\ntwo", "label": "first", "more": [{"text": 3}, null]}
            { "label" : "s\u0065cond", "text" : "\u00fc\u2028\n" }

            {"text": "", "label": "never"}
            {"text":"four","label":"first"}
            """.ReplaceLineEndings("\r\n"));
        using LabelledText text = Read(path, kind);
        int second = Encoding.UTF8.GetByteCount("ü\u2028\n"), last = "four\n".Length, first = text.Text.Length - second - last;

        Assert.Equal(expected, Encoding.UTF8.GetString(text.Text.Bytes));
        Assert.Equal(["first", "second"], text.Labels);
        Stretch[] expectedStretches = [new(0, first, 0, 0), new(first, second, 1, 1), new(first + second, last, 0, 0)];
        Assert.Equal(expectedStretches, text.Stretches);
    }

    [Theory]
    [InlineData("text", "it is not valid JSON at byte 1")]
    [InlineData("[]", "it is not an object")]
    [InlineData("{\"text\":\"a\"", "it is not valid JSON at byte 11")]
    [InlineData("{\"text\":\"a\",\"label\":\"b\"} {}", "it is not valid JSON at byte 25")]
    [InlineData("{\"label\":\"a\"}", "it has no \"text\"")]
    [InlineData("{\"text\":1,\"label\":\"a\"}", "its \"text\" is not a text")]
    [InlineData("{\"text\":\"a\",\"label\":[]}", "its \"label\" is not a text")]
    [InlineData("{\"text\":\"a\",\"label\":\"\"}", "its \"label\" is empty or has control characters")]
    [InlineData("{\"text\":\"a\",\"label\":\"b\\n\"}", "its \"label\" is empty or has control characters")]
    [InlineData("{\"text\":\"a\",\"text\":\"a\",\"label\":\"b\"}", "it has two members \"text\"")]
    [InlineData("{\"text\":\"a\",\"label\":\"a\",\"label\":\"b\"}", "it has two members \"label\"")]
    [InlineData("{\"text\":\"\\ud800\",\"label\":\"b\"}", "it has half of a surrogate pair")]
    [InlineData("{\"text\":\"a\",\"label\":\"\\ud800\"}", "it has half of a surrogate pair")]
    public void Read_NotARecord_NamesFileAndLine(string line, string reason)
    {
        string path = folder.Write("a.jsonl", $"{{\"text\":\"a\",\"label\":\"b\"}}\n\n{line}\n");

        Assert.StartsWith($"{path}, line 3, is not a record: {reason}", OneLine.Of(() => Read(path, TokenizerKind.Char)));
    }

    [Fact]
    public void Read_LabelsThatAreNoText_AreReadAsWritten_AndNoneIsNone()
    {
        string path = folder.Write("a.jsonl", """
            {"text": "a", "label": 1}
            {"text": "b"}
            {"label": null, "text": "c"}
            {"text": "d", "label": true}
            {"text": "e", "label": 1.50}
            {"text": "f", "label": "1"}
            {"text": "g", "label": "none"}
            """);
        using LabelledText text = Read(path, TokenizerKind.Char);

        Assert.Equal(["1", "none", "true", "1.50"], text.Labels);
        Assert.Equal([0, 1, 2, 3, 0, 1], text.Stretches.Select(stretch => stretch.Label));
    }

    [Fact]
    public void Read_LinesThatEndInReturnsAlone_AreLines_WithANote()
    {
        string lines = "{\"text\":\"a\\r\",\"label\":\"b\"}\r{\"text\":\"c\",\"label\":\"d\"}\r";
        string path = folder.Write("a.jsonl", lines);
        using LabelledText text = Read(path, TokenizerKind.Byte);

        Assert.Equal("a\r\nc\n", Encoding.UTF8.GetString(text.Text.Bytes));
        Assert.StartsWith($"{path}: lines end in CR", Assert.Single(text.Notes.Lines), StringComparison.Ordinal);
        string bad = folder.Write("bad.jsonl", lines + "{]");
        Assert.StartsWith($"{bad}, line 3, is not a record", OneLine.Of(() => Read(bad, TokenizerKind.Byte)), StringComparison.Ordinal);
    }

    [Fact]
    public void Read_WideText_SaysSo() => Assert.Contains(
        "a.jsonl looks like UTF-16LE, and JSON Lines are UTF-8",
        OneLine.Of(() => Read(folder.Write("a.jsonl", Encoding.Unicode.GetBytes("{\"text\":\"a\"}\n")), TokenizerKind.Byte)));

    [Fact]
    public void Encode_UnknownCharacterInARecord_NamesItsFileAndLine()
    {
        string first = folder.Write("a.jsonl", "{\"text\":\"ab\"}\n"), second = folder.Write(
            "b.jsonl", "{\"text\":\"b\\r\\na\"}\n\n{\"text\":\"a\\u0062\"}\n{\"text\":\"ba?\"}\n");
        DataConfig data = new() { Sources = [first, second], Labels = LabelKind.Record };

        string message = OneLine.Of(() => Corpus.Load(data, CharTokenizer.Of("ab\n"u8)));

        Assert.StartsWith($"{second}, line 4: the character '?' (U+003F) is not among the 3", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_NotUtf8_NamesFileAndLine()
    {
        string path = folder.Write("a.jsonl", [.. "{\"text\":\"a"u8, 0xFF, .. "\",\"label\":\"b\"}"u8]);

        Assert.StartsWith($"{path}, line 1, is not a record: it is not UTF-8", OneLine.Of(() => Read(path, TokenizerKind.Byte)));
    }

    [Fact]
    public void Read_NoText_IsAClearError() =>
        Assert.Contains(
            "is empty: name a file with text",
            OneLine.Of(() => Read(folder.Write("a.jsonl", "{\"text\":\"\",\"label\":\"b\"}\n"), TokenizerKind.Char)));

    private static LabelledText Read(string path, TokenizerKind kind)
    {
        LabelledText text = new();
        TextSource.Read([path], LabelKind.Record, TokenizerType.Of(kind).Cleaning, text);
        return text;
    }
}
