using System.IO.Enumeration;
using System.Text.RegularExpressions;

namespace TinyMoE.Tests;

/// <summary>Every file that a project names is there, in its items and in its comments.</summary>
public sealed partial class ProjectFilesTests
{
    public static TheoryData<string> Projects =>
    [
        .. Directory.EnumerateFiles(FloorsTests.RepositoryRoot(), "*.csproj", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(FloorsTests.RepositoryRoot(), file))
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(name => name is "bin" or "obj"))
            .Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_NamesFilesThatAreThere(string project)
    {
        string path = Path.Combine(FloorsTests.RepositoryRoot(), project);

        Assert.Empty(Missing(Path.GetDirectoryName(path)!, File.ReadAllText(path)));
    }

    [Fact]
    public void AProjectThatNamesAnotherFile_IsFound()
    {
        string folder = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "TinyMoE.Tests");
        const string Text = """
            <!-- see Cuda/Nowhere.cs and TestModels.cs -->
            <None Include="../golden/*.safetensors;../golden/*.gone" />
            <EmulatorSource Include="../../native/nothing/**;../../native/emulator/**" />
            <Delete Files="$(OutDir)made-by-tests.txt" />
            """;

        Assert.Equal(["Cuda/Nowhere.cs", "../golden/*.gone", "../../native/nothing/**"], Missing(folder, Text));
    }

    private static IEnumerable<string> Missing(string folder, string text) =>
        FileNames().Matches(text).Select(match => match.Value).Distinct().Where(name => !IsThere(folder, name));

    private static bool IsThere(string folder, string name)
    {
        if (!name.Contains('*', StringComparison.Ordinal))
            return File.Exists(Path.Combine(folder, name));
        string[] parts = name.Split('/');
        int wild = Array.FindIndex(parts, part => part.Contains('*', StringComparison.Ordinal));
        string start = Path.Combine([folder, .. parts[..wild]]);
        return Directory.Exists(start) && Directory.EnumerateFiles(start, "*", SearchOption.AllDirectories)
            .Any(file => parts[^1] == "**" || FileSystemName.MatchesSimpleExpression(parts[^1], Path.GetFileName(file)));
    }

    /// <summary>Names with a folder and a star, or that end like a file of ours; not what begins with a property.</summary>
    [GeneratedRegex(
        @"(?<![\w./*)\\-])(?:[\w./-]*/[\w.-]*\*[\w./*-]*|[\w./-]+\.(?:cs|csproj|props|targets|json|md|txt|cpp|cu))(?![\w./*-])")]
    private static partial Regex FileNames();
}
