using System.Text.RegularExpressions;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.Docs;

/// <summary>C# that the docs show is the repository's own.</summary>
public sealed partial class CodeTests
{
    private static readonly CodeBlock[] CSharp = [.. Markdown.Files.SelectMany(Markdown.Blocks).Where(block => block.Language == "csharp")];

    public static TheoryData<int, string> Blocks
    {
        get
        {
            TheoryData<int, string> data = [];
            for (int i = 0; i < CSharp.Length; i++)
                data.Add(i, CSharp[i].File);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Blocks))]
    public void CSharp_InTheDocs_StandsInTheSources(int index, string file)
    {
        string code = OneLine(string.Join('\n', CSharp[index].Lines));
        Assert.True(
            Sources().Any(source => OneLine(File.ReadAllText(source)).Contains(code, StringComparison.Ordinal)),
            $"{file}: no source has\n{string.Join('\n', CSharp[index].Lines)}");
    }

    /// <summary>What doctor prints of a module, as "rope.ptx 1 38dcedcb6f3f425a".</summary>
    [Fact]
    public void Modules_InTheDocs_AreThoseOfThisBuild()
    {
        IEnumerable<string> lines = Markdown.Files.SelectMany(Markdown.Blocks).SelectMany(block => block.Lines);
        string[] shown = [.. lines.Where(line => Module().IsMatch(line))];
        string[] built = [.. Ptx.All.Select(ptx => $"{ptx.File} {ptx.Kernels().Count()} {HashOf(ptx)}")];
        Assert.NotEmpty(shown);
        Assert.All(shown, line => Assert.Contains(OneLine(line), built));
    }

    private static string HashOf(Ptx ptx) => HashLine().Match(ptx.Text).Groups[1].Value;

    private static IEnumerable<string> Sources() =>
        from folder in (string[])["src", "tests", "examples"]
        from file in Directory.EnumerateFiles(Path.Combine(Markdown.Root, folder), "*.cs", SearchOption.AllDirectories)
        select file;

    private static string OneLine(string code) => Blanks().Replace(code, " ").Trim();

    [GeneratedRegex(@"^\s*[\w.]+\.ptx\s+\d+\s+[0-9a-f]{16}\s*$")]
    private static partial Regex Module();

    [GeneratedRegex("source-sha256: ([0-9a-f]{16})")]
    private static partial Regex HashLine();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
