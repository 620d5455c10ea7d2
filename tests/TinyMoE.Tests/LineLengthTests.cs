namespace TinyMoE.Tests;

/// <summary>No line of a source, a script, a build file or a document has more than 140 columns.</summary>
public sealed class LineLengthTests
{
    private const int Most = 140;

    private static readonly string[] Endings =
    [
        ".cs", ".razor", ".js", ".css", ".cu", ".cuh", ".cpp", ".h", ".md", ".sh", ".py", ".props", ".targets", ".csproj", ".cmake",
        "CMakeLists.txt", ".ci/run",
    ];

    /// <summary>What builds, runs and tools leave behind; .gitignore has the same.</summary>
    private static readonly string[] NoSources =
        [".git", ".vs", ".vscode", ".idea", "bin", "obj", "build", "runs", "TestResults", "BenchmarkDotNet.Artifacts", "__pycache__"];

    /// <summary>Files that may have longer lines, by their path from the repository's root, each with the reason behind it. None.</summary>
    private static readonly string[] Allowed = [];

    [Fact]
    public void Lines_OfTheRepository_HaveAtMost140Columns()
    {
        string root = FloorsTests.RepositoryRoot();
        string[] files = [.. TextFiles(root)];
        foreach (string ending in (string[])[".cs", ".razor", ".cu", ".h", ".md", ".props"])
            Assert.Contains(files, file => file.EndsWith(ending, StringComparison.Ordinal));

        string[] checkedFiles = [.. files.Where(file => !Allowed.Contains(file))];
        Assert.Empty(checkedFiles.SelectMany(file => TooLong(file, File.ReadLines(Path.Combine(root, file)))));
    }

    [Fact]
    public void AllowedFiles_NeedIt()
    {
        string root = FloorsTests.RepositoryRoot();
        Assert.All(Allowed, file => Assert.NotEmpty(TooLong(file, File.ReadLines(Path.Combine(root, file)))));
    }

    [Theory]
    [InlineData("a.cs", "0", 140, false)]
    [InlineData("a.cs", "0", 141, true)]
    [InlineData("a.cs", "| 0", 141, true)]
    [InlineData("a.md", "0 1", 141, true)]
    [InlineData("a.md", "| 0", 141, false)]
    [InlineData("a.md", "  - 0", 141, false)]
    public void Line_OfThatLength_IsTooLong(string file, string start, int length, bool isTooLong) =>
        Assert.Equal(isTooLong, TooLong(file, [start.PadRight(length, 'x')]).Any());

    [Fact]
    public void FencedOutput_InMarkdown_MayBeLong()
    {
        string wide = "a " + new string('x', Most);
        Assert.Equal(["a.md:5 has 142 columns"], TooLong("a.md", ["```", wide, "```", "text", wide]));
    }

    /// <summary>The files that are checked: paths from the root, with slashes.</summary>
    internal static IEnumerable<string> TextFiles(string root) =>
        FilesBelow(new DirectoryInfo(root))
            .Select(file => Path.GetRelativePath(root, file.FullName).Replace(Path.DirectorySeparatorChar, '/'))
            .Where(file => Array.Exists(Endings, ending => file.EndsWith(ending, StringComparison.Ordinal)));

    private static IEnumerable<FileInfo> FilesBelow(DirectoryInfo folder) =>
        folder.EnumerateDirectories().Where(inner => !NoSources.Contains(inner.Name)).SelectMany(FilesBelow)
            .Concat(folder.EnumerateFiles());

    /// <summary>
    /// The lines over the limit. In Markdown a row of a table, fenced text, and what has no blank to break at (a long address)
    /// may be longer.
    /// </summary>
    private static IEnumerable<string> TooLong(string file, IEnumerable<string> lines)
    {
        bool isMarkdown = file.EndsWith(".md", StringComparison.Ordinal), isFenced = false;
        foreach ((int index, string line) in lines.Index())
        {
            string text = line.TrimStart(' ', '-', '*', '>');
            if (isMarkdown && text.StartsWith("```", StringComparison.Ordinal))
                isFenced = !isFenced;
            bool isFree = isMarkdown && (isFenced || text.StartsWith('|') || !text.TrimEnd().Contains(' '));
            if (line.Length > Most && !isFree)
                yield return $"{file}:{index + 1} has {line.Length} columns";
        }
    }
}
