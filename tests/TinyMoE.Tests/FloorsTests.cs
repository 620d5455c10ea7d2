using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using TinyMoE.Configuration;

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
        ["Families"] = 8, ["Surgery"] = 8, ["Data"] = 8,
        ["Inspect"] = 9,
        ["Train"] = 10, ["Generate"] = 10,
    };

    [Fact]
    public void EveryFolder_UsesLowerFloorsOnly() => Assert.Empty(WrongUses(Library()));

    [Theory]
    [InlineData("Layers", "using TinyMoE.Moe;", "Layers/Planted.cs uses Moe")]
    [InlineData("Layers", "Moe.Assignment planted;", "Layers/Planted.cs uses Moe")]
    [InlineData("Backends", "global::TinyMoE.Ops.Check planted;", "Backends/Planted.cs uses Ops")]
    [InlineData("Layers", "namespace TinyMoE.Layers;\nusing Moe;", "Layers/Planted.cs uses Moe")]
    [InlineData("Layers", "string planted = $\"{nameof(Moe.Assignment)}\";", "Layers/Planted.cs uses Moe")]
    [InlineData("Layers", "record Planted(MoeConfig Moe) { void Of(Moe.Assignment a) { } }", "Layers/Planted.cs uses Moe")]
    [InlineData("", "global using TinyMoE.Train;", "/Planted.cs uses Train")]
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

    /// <summary>A file of the library; of no folder is what lies beside them, which is on the ground.</summary>
    private sealed record Source(string Folder, string Name, string Text)
    {
        /// <summary>
        /// The folders of the library that it names, by namespace or by a name that is relative to TinyMoE; its own is not among them.
        /// </summary>
        public IEnumerable<string> Uses()
        {
            string code = Noise().Replace(Text, noise => noise.Value.StartsWith('$')
                ? string.Concat(Interpolation().Matches(noise.Value).Select(part => $" {part.Groups[1].Value} ")) : " ");
            return Floors.Keys.Where(folder => folder != Folder && Names(code, folder));
        }

        private static bool Names(string code, string folder)
        {
            if (Regex.IsMatch(code, $@"\bTinyMoE\.{folder}\b|\busing\s+(static\s+)?{folder}\b"))
                return true;
            bool hasMember = Regex.IsMatch(code, $@"\w[>\]?]*\s{folder}\s*(\{{|=|;|,|\))"); // then only a type's name tells which is meant
            return Regex.Matches(code, $@"(?<![\w.]|\?\.){folder}\.([A-Z]\w*)").Any(
                match => !hasMember || TypesIn(folder).Contains(match.Groups[1].Value));
        }
    }

    /// <summary>The types that a folder declares, as far as no key of a configuration has the same name.</summary>
    private static HashSet<string> TypesIn(string folder)
    {
        IEnumerable<string> types = Library().Where(source => source.Folder == folder).SelectMany(
            source => Declaration().Matches(source.Text).Select(match => match.Groups[1].Value));
        return [.. types.Except(ConfigKeys.All.Select(key => key.Property.Name))];
    }

    private static int FloorOf(Source source) => source.Folder.Length == 0 ? 0 : Floors[source.Folder];

    private static List<Source> Library()
    {
        string library = Path.Combine(RepositoryRoot(), "src", "TinyMoE");
        List<Source> sources = [];
        foreach (string file in Directory.EnumerateFiles(library, "*.cs", SearchOption.AllDirectories))
        {
            string[] path = Path.GetRelativePath(library, file).Split(Path.DirectorySeparatorChar);
            if (path[0] is "bin" or "obj")
                continue;
            string folder = path.Length == 1 ? "" : path[0];
            Assert.True(folder.Length == 0 || Floors.ContainsKey(folder), $"{folder} is on no floor: give it one here");
            sources.Add(new Source(folder, string.Join('/', path[Math.Min(1, path.Length - 1)..]), File.ReadAllText(file)));
        }

        return sources;
    }

    private static IEnumerable<string> WrongUses(IEnumerable<Source> sources) =>
        from source in sources
        from used in source.Uses()
        where Floors[used] > FloorOf(source)
        select $"{source.Folder}/{source.Name} uses {used}";

    /// <summary>Circles of folders that stand on one floor, each once, as "A -> B -> A".</summary>
    private static List<string> Circles(IEnumerable<Source> sources)
    {
        ILookup<string, string> edges = sources
            .SelectMany(source => source.Uses().Where(used => Floors[used] == FloorOf(source)).Select(used => (source.Folder, used)))
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
    [GeneratedRegex(@"//[^\n]*|/\*.*?\*/|\$*@?""(\\.|[^""\\\n])*""", RegexOptions.Singleline)]
    private static partial Regex Noise();

    /// <summary>What is code in a string.</summary>
    [GeneratedRegex(@"\{([^{}]*)")]
    private static partial Regex Interpolation();

    [GeneratedRegex(@"\b(?:class|record|struct|interface|enum) (?:struct |class )?(\w+)")]
    private static partial Regex Declaration();
}
