using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace TinyMoE.Tests;

/// <summary>Calls go down only, and never round in a circle on one floor: by namespace and by relative name.</summary>
public sealed partial class FloorsTests
{
    /// <summary>Floor of each folder of the library, from the ground up.</summary>
    private static readonly Dictionary<string, int> Floors = new()
    {
        ["Memory"] = 0, ["RandomNumbers"] = 0, ["Files"] = 0, ["Configuration"] = 0,
        ["Backends"] = 1, ["Tokenizers"] = 1,
        ["Tensors"] = 2,
        ["Ops"] = 3,
        ["Layers"] = 4,
        ["Moe"] = 5, ["Optim"] = 5,
        ["Attention"] = 6,
        ["Models"] = 7,
        ["Families"] = 8, ["Data"] = 8,
        ["Inspect"] = 9,
        ["Train"] = 10, ["Generate"] = 10,
    };

    [Fact]
    public void EveryFolder_UsesLowerFloorsOnly() => Assert.Empty(WrongUses(Library()));

    [Theory]
    [InlineData("Layers", "using TinyMoE.Moe;", "Layers/Planted.cs uses Moe")]
    [InlineData("Layers", "Moe.Assignment planted;", "Layers/Planted.cs uses Moe")]
    [InlineData("Backends", "global::TinyMoE.Ops.Check planted;", "Backends/Planted.cs uses Ops")]
    [InlineData("Moe", "using TinyMoE.Optim;", "")] // the same floor is no mistake by itself
    public void AFileThatLooksUp_IsFound(string folder, string line, string expected) =>
        Assert.Equal(expected, string.Join("; ", WrongUses([new Source(folder, "Planted.cs", line)])));

    [Fact]
    public void NoFloor_HasACircle() => Assert.Empty(Circles(Library()));

    [Fact]
    public void ACircleOnOneFloor_IsFound()
    {
        Source[] planted =
        [
            new("Moe", "A.cs", "using TinyMoE.Optim;"), new("Optim", "B.cs", "Moe.Assignment b;"),
            new("Train", "C.cs", "using TinyMoE.Generate;"), // one way only
        ];
        Assert.Equal(["Moe -> Optim -> Moe"], Circles(planted));
    }

    [Theory]
    [InlineData("// Moe.Assignment\nstring s = \"TinyMoE.Moe\"; /* Moe.Experts */")]
    [InlineData("config.Moe.Experts.ToString();")]                          // a member of something else
    [InlineData("MoeConfig Moe { get; init; } int E => Moe.Experts;")]      // a member of its own
    public void WhatIsNoFolder_IsNoUse(string text) => Assert.Empty(WrongUses([new Source("Configuration", "Planted.cs", text)]));

    [Fact]
    public void Library_NeverPrints_AndNeverCollects() => Assert.DoesNotContain(
        Library(), source => source.Text.Contains("Console.", StringComparison.Ordinal)
            || source.Text.Contains("GC.Collect", StringComparison.Ordinal));

    internal static string RepositoryRoot() => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", ".."));

    private static string ThisFile([CallerFilePath] string path = "") => path;

    /// <summary>A file of the library.</summary>
    private sealed record Source(string Folder, string Name, string Text)
    {
        /// <summary>
        /// The folders of the library that it names, by namespace or by a name that is relative to TinyMoE; its own is not among them.
        /// </summary>
        public IEnumerable<string> Uses()
        {
            string code = Noise().Replace(Text, " ");
            foreach (string folder in Floors.Keys)
            {
                if (folder != Folder && (Regex.IsMatch(code, $@"\bTinyMoE\.{folder}\b") || IsUsedByRelativeName(code, folder)))
                    yield return folder;
            }
        }

        /// <summary>Whether code uses the folder as <c>Folder.Type</c>, without a member or a variable of that name.</summary>
        private static bool IsUsedByRelativeName(string code, string folder) =>
            !Regex.IsMatch(code, $@"\w[>\]?]*\s{folder}\s*(\{{|=|;|,|\))")
            && Regex.IsMatch(code, $@"(?<![\w.]|\?\.){folder}\.[A-Z]");
    }

    private static List<Source> Library()
    {
        string library = Path.Combine(RepositoryRoot(), "src", "TinyMoE");
        List<Source> sources = [];
        foreach (string file in Directory.EnumerateFiles(library, "*.cs", SearchOption.AllDirectories))
        {
            string[] path = Path.GetRelativePath(library, file).Split(Path.DirectorySeparatorChar);
            if (path.Length == 1 || path[0] is "bin" or "obj")
                continue;
            Assert.True(Floors.ContainsKey(path[0]), $"{path[0]} is on no floor: give it one here");
            sources.Add(new Source(path[0], string.Join('/', path[1..]), File.ReadAllText(file)));
        }

        return sources;
    }

    private static IEnumerable<string> WrongUses(IEnumerable<Source> sources) =>
        from source in sources
        from used in source.Uses()
        where Floors[used] > Floors[source.Folder]
        select $"{source.Folder}/{source.Name} uses {used}";

    /// <summary>Circles of folders that stand on one floor, each once, as "A -> B -> A".</summary>
    private static List<string> Circles(IEnumerable<Source> sources)
    {
        ILookup<string, string> edges = sources
            .SelectMany(source => source.Uses().Where(used => Floors[used] == Floors[source.Folder]).Select(used => (source.Folder, used)))
            .Distinct().OrderBy(edge => edge).ToLookup(edge => edge.Folder, edge => edge.used);
        List<string> circles = [];
        foreach (string start in Floors.Keys)
            Follow([start]);
        return circles;

        void Follow(List<string> path)
        {
            foreach (string next in edges[path[^1]])
            {
                if (next == path[0] && path.All(folder => string.CompareOrdinal(folder, next) >= 0))
                    circles.Add(string.Join(" -> ", [.. path, next]));
                else if (!path.Contains(next))
                    Follow([.. path, next]);
            }
        }
    }

    /// <summary>Comments and strings.</summary>
    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/|""(\\.|[^""\\\n])*""", RegexOptions.Singleline)]
    private static partial Regex Noise();
}
