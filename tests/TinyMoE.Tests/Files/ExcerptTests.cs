using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class ExcerptTests
{
    [Theory]
    [InlineData("model.width", "model.width")]
    [InlineData("a\u001b[31m\r\nb\u202e\u2028c", "a?[31m??b??c")]
    public void Of_AShortText_IsItself_InOneLine(string text, string excerpt) => Assert.Equal(excerpt, Excerpt.Of(text));

    [Fact]
    public void Of_HalfASurrogatePair_IsAReplacementCharacter() => Assert.Equal("a\ufffdb", Excerpt.Of("a\ud800b"));

    [Fact]
    public void Of_ALongText_IsItsBeginning_AndHalvesNoCharacter()
    {
        Assert.Equal(new string('m', 100), Excerpt.Of(new string('m', 100)));
        Assert.Equal(new string('m', 100) + "...", Excerpt.Of(new string('m', 10_000_000)));
        Assert.Equal(new string('m', 99) + "😀...", Excerpt.Of(new string('m', 99) + "😀 and more"));
    }
}
