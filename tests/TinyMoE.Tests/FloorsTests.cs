using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace TinyMoE.Tests;

/// <summary>Calls go down only: a folder uses nothing from a floor above its own.</summary>
public sealed partial class FloorsTests
{
    /// <summary>Floor of each folder of the library. <c>Configuration</c> and <c>Files</c> stand on the ground: anyone may use them, they use no one.</summary>
    private static readonly Dictionary<string, int> Floors = new()
    {
        ["Memory"] = 0, ["RandomNumbers"] = 0, ["Configuration"] = 0, ["Files"] = 0,
        ["Backends"] = 1,
        ["Tensors"] = 2,
        ["Ops"] = 3,
        ["Nn"] = 4, ["Moe"] = 4, ["Optim"] = 4,
        ["Train"] = 5, ["Generate"] = 5, ["Data"] = 5,
    };

    [Fact]
    public void EveryFolder_UsesLowerFloorsOnly()
    {
        string library = Path.Combine(RepositoryRoot(), "src", "TinyMoE");
        List<string> wrong = [];
        foreach (string file in Directory.EnumerateFiles(library, "*.cs", SearchOption.AllDirectories))
        {
            string folder = Path.GetRelativePath(library, file).Split(Path.DirectorySeparatorChar)[0];
            if (folder is "bin" or "obj" || folder.EndsWith(".cs", StringComparison.Ordinal))
                continue;
            Assert.True(Floors.ContainsKey(folder), $"{folder} is on no floor: give it one here");
            foreach (Match use in LibraryNamespace().Matches(File.ReadAllText(file)))
            {
                string used = use.Groups[1].Value;
                if (Floors.TryGetValue(used, out int floor) && floor > Floors[folder])
                    wrong.Add($"{Path.GetRelativePath(library, file)} uses {used}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Library_NeverPrints_AndNeverCollects()
    {
        string library = Path.Combine(RepositoryRoot(), "src", "TinyMoE");
        Assert.DoesNotContain(
            Directory.EnumerateFiles(library, "*.cs", SearchOption.AllDirectories).Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)),
            file => File.ReadAllText(file) is string text && (text.Contains("Console.", StringComparison.Ordinal) || text.Contains("GC.Collect", StringComparison.Ordinal)));
    }

    internal static string RepositoryRoot() => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", ".."));

    private static string ThisFile([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"\bTinyMoE\.([A-Z][A-Za-z]+)\b")]
    private static partial Regex LibraryNamespace();
}
