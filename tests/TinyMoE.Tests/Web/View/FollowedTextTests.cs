using System.Text;
using TinyMoE.Web.View;

namespace TinyMoE.Tests.Web.View;

/// <summary>What was typed, found again among the tokens of a prompt.</summary>
public sealed class FollowedTextTests
{
    [Theory]
    [InlineData("u", "u |u|\na |", "u ", "\na ", "u")]                  // the template's own letters are none of it
    [InlineData("hi cat", "<s>|u hi| c|at\na |", "<s>u ", "\na ", "hi| c|at")] // cut where tokens go over its ends
    [InlineData("  hi ", "u hi|\na ", "u ", "\na ", "hi")]              // the template trims
    [InlineData("", "u |\na ", "u ", "\na ", "")]
    public void Parts_AreTheTokensBetweenWhatATemplateWrites(string typed, string tokens, string before, string after, string expected)
    {
        FollowedPart[]? parts = Find(typed, (before, after), [.. tokens.Split('|').Select(Encoding.UTF8.GetBytes)]);
        Assert.Equal(expected, string.Join('|', parts!.Select(part => part.Text)));
    }

    [Fact]
    public void ACharacterBetweenTokens_IsOnePart_WithTheExpertOfItsLast()
    {
        byte[] sign = Encoding.UTF8.GetBytes("é");
        FollowedPart[] parts = Find("aé", null, [[(byte)'a'], [sign[0]], [sign[1]], [(byte)'b']])!;
        Assert.Equal(["a", "é"], parts.Select(part => part.Text));
        Assert.Equal([0, 2], parts.Select(part => part.Experts[0]));
    }

    [Fact]
    public void AnotherText_IsNotFound()
    {
        Assert.Null(Find("hi", ("u ", "\na "), [Encoding.UTF8.GetBytes("U HI\nA ")]));
        Assert.Null(Find("hi", ("\0", "\0"), [Encoding.UTF8.GetBytes("u hi\na ")])); // a template that does not write it
        Assert.Null(Find("hi", null, [Encoding.UTF8.GetBytes("HI")]));
    }

    private static FollowedPart[]? Find(string typed, (string, string)? around, byte[][] tokens) =>
        FollowedText.Find(typed, around, tokens, token => [token]);
}
