namespace TinyMoE.Tests;

/// <summary>Errors for people are one line, whatever the files hold that they quote.</summary>
public sealed class ErrorLineTests
{
    [Theory]
    [InlineData("a 'é\U0001F600' b", "a 'é\U0001F600' b")]
    [InlineData("a\nb\r\nc\td", "a b  c d")]
    [InlineData("a\u2028b\u2029c\u0085d", "a b c d")]
    [InlineData("\u001b[31mred\0", "?[31mred?")]
    public void Message_OfAnError_IsOneLine(string message, string line) => Assert.Equal(line, new TinyMoEException(message).Message);

    [Fact]
    public void Message_WithHalfASurrogatePair_HasACharacterForIt() =>
        Assert.Equal("a\ufffdb", new TinyMoEException("a" + '\ud800' + "b").Message);

    [Fact]
    public void Message_ThatIsEndless_KeepsItsStartAndItsEnd()
    {
        string message = new TinyMoEException("start" + new string('x', 100_000) + "end", new IOException()).Message;

        Assert.InRange(message.Length, 1000, 2000);
        Assert.StartsWith("startx", message);
        Assert.EndsWith("xend", message);
    }
}
