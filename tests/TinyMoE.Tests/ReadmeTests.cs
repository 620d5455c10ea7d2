using System.Text.RegularExpressions;
using TinyMoE.Configuration;
using TinyMoE.Tests.Cli;

namespace TinyMoE.Tests;

/// <summary>What the README says is true: its keys, presets and commands are those of the program.</summary>
public sealed partial class ReadmeTests
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(FloorsTests.RepositoryRoot(), "README.md")).ReplaceLineEndings("\n");

    public static TheoryData<string> Commands => [.. CommandLines().Matches(Readme).Select(m => m.Groups[1].Value.Trim()).Distinct()];

    [Fact]
    public void TableOfKeys_IsTheProgramsOwn() => Assert.Contains(ConfigKeys.MarkdownTable().ReplaceLineEndings("\n").Trim(), Readme);

    [Fact]
    public void Presets_AreAllThere() => Assert.All(Presets.All, preset => Assert.Contains($"| `{preset.Name}` |", Readme));

    [Fact]
    public void Routers_AreAllThere() => Assert.All(RouterTraits.All, router => Assert.Contains($"| `{router.Name}` | {router.Summary} | {router.Source} |", Readme));

    [Theory]
    [MemberData(nameof(Commands))]
    public void Command_IsUnderstood(string command)
    {
        // Every option of the command is one that its help knows.
        string[] words = command.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string help = CommandLine.Run(words[0], "--help").Output;
        Assert.Contains("Usage", help, StringComparison.OrdinalIgnoreCase);
        Assert.All(words.Where(word => word.StartsWith("--", StringComparison.Ordinal)), option => Assert.Contains(option.Split('=')[0], help));
    }

    [Theory]
    [InlineData("src/TinyMoE")]
    [InlineData("src/TinyMoE.Cli")]
    [InlineData("tests/TinyMoE.Tests")]
    [InlineData("tests/TinyMoE.Benchmarks")]
    [InlineData("examples/autograd")]
    [InlineData("examples/moe-by-hand")]
    [InlineData("examples/training")]
    [InlineData("examples/routers")]
    [InlineData("examples/noise-and-balance")]
    [InlineData("examples/capacity")]
    [InlineData("examples/understanding-moe")]
    public void Folder_IsNamedAndExists(string folder)
    {
        Assert.Contains(folder, Readme);
        Assert.True(Directory.Exists(Path.Combine(FloorsTests.RepositoryRoot(), folder)));
    }

    [GeneratedRegex(@"(?:^tinymoe |TinyMoE\.Cli -- )((?:train|eval|generate|info|doctor)[^\n`#|]*)", RegexOptions.Multiline)]
    private static partial Regex CommandLines();
}
