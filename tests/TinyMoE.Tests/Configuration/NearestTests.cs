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
    }
}
