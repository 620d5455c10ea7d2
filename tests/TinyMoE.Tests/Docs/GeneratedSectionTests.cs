using System.Text.Json;
using System.Text.RegularExpressions;
using TinyMoE.Configuration;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;

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
            $"{file} is older than the code; {GeneratedSections.WriteVariable}=1 dotnet test -c Release --filter GeneratedSectionTests "
                + "writes it anew");
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

    [Fact]
    public void Losses_NamesInTheTable_AreThoseOfMetrics()
    {
        using TemporaryFolder folder = new();
        string text = folder.Write("text.txt", string.Concat(Enumerable.Repeat("the cat sat on the mat\n", 100)));
        CommandLine result = CommandLine.Run(
        [
            "train", "--data", text, "--out", folder["run"], "--steps", "1", "--json",
            "--set", "model.width=16", "model.layers=1", "model.context=8", "train.batch=2", "train.warmup=1",
            "moe.hidden=8", "moe.router=noisy-top-k",
            .. LossTraits.All.Select(loss => $"{loss.Key}=0.01"),
        ]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        JsonElement losses = JsonDocument.Parse(result.Output.Split('\n')[0]).RootElement.GetProperty("losses");
        Assert.Equal(
            LossTraits.All.Select(loss => loss.Name).Append("cross_entropy").Append("total").Order(),
            losses.EnumerateObject().Select(loss => loss.Name).Order());
    }

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
