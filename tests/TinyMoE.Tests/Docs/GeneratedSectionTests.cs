using System.Text.RegularExpressions;
using TinyMoE.Configuration;

namespace TinyMoE.Tests.Docs;

/// <summary>The tables of the docs are those that the code makes.</summary>
public sealed partial class GeneratedSectionTests
{
    private static readonly string[] FilesWithSections =
        [.. Markdown.Files.Where(file => GeneratedSections.NamesIn(Markdown.Text(file)).Any())];

    public static TheoryData<string> Files => [.. FilesWithSections];

    [Theory]
    [MemberData(nameof(Files))]
    public void Sections_AreWhatTheCodeMakes(string file)
    {
        string text = Markdown.Text(file), renewed = GeneratedSections.Renew(text);
        if (text != renewed && Environment.GetEnvironmentVariable(GeneratedSections.WriteVariable) == "1")
            File.WriteAllText(Path.Combine(Markdown.Root, file), text = renewed);
        Assert.True(
            text == renewed,
            $"{file} is older than the code; write it anew: {GeneratedSections.WriteVariable}=1 dotnet test -c Release --filter GeneratedSectionTests");
    }

    [Fact]
    public void Sections_EachHasOnePlace() =>
        Assert.Equal(
            GeneratedSections.All.Keys.Order(),
            FilesWithSections.SelectMany(file => GeneratedSections.NamesIn(Markdown.Text(file))).Order());

    [Fact]
    public void Losses_TheTable_HasEveryKey() =>
        Assert.Equal(
            ConfigKeys.All.Select(key => key.Path).Where(path => path.EndsWith("_loss", StringComparison.Ordinal)),
            LossTraits.All.Select(loss => loss.Key));

    [Theory]
    [InlineData("hash", "1/K")]
    [InlineData("hierarchical", "`moe.renormalize=true`")]
    [InlineData("sinkhorn", "never renormalised")]
    [InlineData("expert-choice", "`moe.min_capacity`")]
    [InlineData("expert-choice", "`train.batch`")]
    public void Remarks_OfARouter_SayWhatItLeavesOpen(string router, string words) =>
        Assert.Contains(words, RouterTraits.All.Single(traits => traits.Name == router).Remarks, StringComparison.Ordinal);

    [Fact]
    public void Remarks_NameKeysThatAre() =>
        Assert.All(
            RouterTraits.All.SelectMany(router => Key().Matches(router.Remarks)).Select(match => match.Groups[1].Value),
            key => Assert.Contains(ConfigKeys.All, known => known.Path == key));

    [GeneratedRegex(@"`([a-z_]+\.[a-z_]+)(?:=[^`]*)?`")]
    private static partial Regex Key();
}
