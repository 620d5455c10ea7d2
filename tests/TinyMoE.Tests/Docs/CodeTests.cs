using System.Text.RegularExpressions;

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

    private static IEnumerable<string> Sources() =>
        from folder in (string[])["src", "tests", "examples"]
        from file in Directory.EnumerateFiles(Path.Combine(Markdown.Root, folder), "*.cs", SearchOption.AllDirectories)
        select file;

    private static string OneLine(string code) => Blanks().Replace(code, " ").Trim();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
