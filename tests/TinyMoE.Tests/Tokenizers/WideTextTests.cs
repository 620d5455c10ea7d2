using System.Text;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

public sealed class WideTextTests
{
    private const string English = "the cat sat on the mat, and saw one dog\n";
    private const string Russian = "съешь ещё этих мягких французских булок\n";

    [Theory]
    [InlineData("utf-16", "UTF-16LE")]
    [InlineData("utf-16BE", "UTF-16BE")]
    [InlineData("utf-32", "UTF-32LE")]
    [InlineData("utf-32BE", "UTF-32BE")]
    public void EncodingOf_WideText_IsFoundWithAndWithoutAMark(string name, string expected)
    {
        Encoding encoding = Encoding.GetEncoding(name);
        foreach (string text in (string[])[English, Russian, "α β γ δ\n"])
        {
            byte[] content = encoding.GetBytes(text);
            Assert.Equal(expected, WideText.EncodingOf(content));
            Assert.Equal(expected[..6], WideText.EncodingOf([.. encoding.GetPreamble(), .. content]));
        }
    }

    [Fact]
    public void EncodingOf_OtherText_IsNone()
    {
        Assert.Null(WideText.EncodingOf([]));
        Assert.Null(WideText.EncodingOf(Encoding.UTF8.GetBytes(English + Russian)));
        Assert.Null(WideText.EncodingOf(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("a\n", 100))))); // every other byte is low
        Assert.Null(WideText.EncodingOf(Encoding.UTF8.GetBytes("some/path\0another/path\0third/path\0"))); // ended by zeros
        Assert.NotNull(WideText.EncodingOf("ab\0cd\0ef\0gh\0i\0"u8)); // a fifth and more, and text has none
    }
}
