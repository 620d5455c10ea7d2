using TinyMoE.Configuration;

namespace TinyMoE.Tests.Configuration;

public sealed class NearestTests
{
    [Theory]
    [InlineData("widht", "; did you mean 'model.width'?")]
    [InlineData("model.widht", "; did you mean 'model.width'?")]
    [InlineData("zebra", "")]
    public void Hint_NamesTheNearWord(string word, string hint) => Assert.Equal(hint, Nearest.Hint(word, ["model.width", "model.layers"]));

    [Fact]
    public void Hint_OfAWordThatIsFarTooLong_ComparesNothing()
    {
        string word = new('m', 10_000_000); // the table of a comparison would have ten million rows
        Assert.Equal("", Nearest.Hint(word, [new string('m', 9_999_999)]));
        Assert.Equal(new string('m', 100) + "...", Nearest.Clip(word));
    }

    [Fact]
    public void Clip_KeepsShortWords_AndHalvesNoCharacter()
    {
        Assert.Equal("model.width", Nearest.Clip("model.width"));
        Assert.Equal(new string('m', 99) + "...", Nearest.Clip(new string('m', 99) + "😀 and more"));
    }
}
