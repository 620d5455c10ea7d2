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
        string[] path = [.. new[] { "Tape", "Tensor", "Decoder", "MoeLayer", "Trainer" }.Select(name =>
            Assert.Single(Markdown.Links("README.md"), link => link.EndsWith($"/{name}.cs", StringComparison.Ordinal)))];
        Assert.InRange(path.Sum(file => File.ReadAllLines(Path.Combine(Markdown.Root, file)).Length), 1, MostLines);
    }

    [Fact]
    public void Map_HasEveryFolderOfTheLibrary() =>
        Assert.All(Folders("src/TinyMoE"), folder => Assert.Contains($"`{folder}`", Readme, StringComparison.Ordinal));

    [Fact]
    public void Architecture_HasEveryProject() =>
        Assert.All(
            new[] { "src", "tests", "examples", "examples/studies" }.SelectMany(Projects),
            project => Assert.Contains($"`{project}`", Markdown.Text("docs/architecture.md") + Markdown.Text("docs/library.md"), StringComparison.Ordinal));

    private static IEnumerable<string> Folders(string parent) =>
        Directory.EnumerateDirectories(Path.Combine(Markdown.Root, parent)).Select(path => Path.GetFileName(path)!).Where(name => name is not ("bin" or "obj"));

    /// <summary>The folders below <paramref name="parent"/> that hold a project, as "src/TinyMoE".</summary>
    private static IEnumerable<string> Projects(string parent) => !Directory.Exists(Path.Combine(Markdown.Root, parent)) ? [] :
        Folders(parent).Where(folder => Directory.EnumerateFiles(Path.Combine(Markdown.Root, parent, folder), "*.csproj").Any()).Select(folder => $"{parent}/{folder}");
}
