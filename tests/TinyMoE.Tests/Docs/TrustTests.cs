using System.Text.RegularExpressions;

namespace TinyMoE.Tests.Docs;

/// <summary>What the page of promises says of their tests.</summary>
public sealed partial class TrustTests
{
    [Fact]
    public void Tests_ThatThePageNames_AreThere()
    {
        HashSet<string> classes = [.. typeof(TrustTests).Assembly.GetTypes().Select(type => type.Name)];
        string[] named = [.. TestName().Matches(Markdown.Text("docs/trust.md")).Select(match => match.Groups[1].Value)];

        Assert.NotEmpty(named);
        Assert.All(named, name => Assert.Contains(name, classes));
    }

    [GeneratedRegex("`([A-Za-z0-9]+Tests)`")]
    private static partial Regex TestName();
}
