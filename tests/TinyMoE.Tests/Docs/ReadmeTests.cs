using System.Text;

namespace TinyMoE.Tests.Docs;

/// <summary>What the README promises of itself and of the house.</summary>
public sealed class ReadmeTests
{
    private const int MostBytes = 12 * 1024, MostLines = 1000;

    private static readonly string Readme = Markdown.Text("README.md");

    [Fact]
    public void Readme_IsShort() => Assert.InRange(Encoding.UTF8.GetByteCount(Readme), 0, MostBytes);

    [Fact]
    public void Readme_HasTheTwoCommands()
    {
        Assert.Contains("\ndotnet run -c Release --project src/TinyMoE.Cli -- train\n", Readme, StringComparison.Ordinal);
        Assert.Contains("\ndotnet test -c Release\n", Readme, StringComparison.Ordinal);
    }

    [Fact]
    public void ReadingPath_IsUnderAThousandLines()
    {
        string[] path = [.. new[] { "Tape", "Tensor", "Decoder", "MoeLayer", "Assignment", "Trainer" }.Select(name =>
            Assert.Single(Markdown.Links("README.md"), link => link.EndsWith($"/{name}.cs", StringComparison.Ordinal)))];
        Assert.InRange(path.Sum(file => File.ReadAllLines(Path.Combine(Markdown.Root, file)).Length), 1, MostLines);
    }

    [Fact]
    public void Map_HasEveryFolderOfTheLibrary() =>
        Assert.All(Folders("src/TinyMoE"), folder => Assert.Contains($"`{folder}`", Readme, StringComparison.Ordinal));

    [Fact]
    public void Architecture_HasEveryProject() =>
        Assert.All(
            new[] { "src", "tests", "examples" }.SelectMany(Projects),
            project => Assert.Contains(
                $"`{project}`", Markdown.Text("docs/architecture.md") + Markdown.Text("docs/library.md"), StringComparison.Ordinal));

    private static IEnumerable<string> Folders(string parent) =>
        from path in Directory.EnumerateDirectories(Path.Combine(Markdown.Root, parent))
        let name = Path.GetFileName(path)
        where name is not ("bin" or "obj")
        select name;

    /// <summary>The projects below a folder, by their folders, as "src/TinyMoE".</summary>
    private static IEnumerable<string> Projects(string parent) =>
        from project in Directory.EnumerateFiles(Path.Combine(Markdown.Root, parent), "*.csproj", SearchOption.AllDirectories)
        select Path.GetRelativePath(Markdown.Root, Path.GetDirectoryName(project)!).Replace('\\', '/');
}
