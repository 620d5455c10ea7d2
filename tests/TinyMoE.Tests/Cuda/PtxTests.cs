using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// The committed PTX is what the sources say, and holds the kernels that the
/// backend launches, no more and no fewer. Needs no device and no toolkit.
/// </summary>
public sealed partial class PtxTests
{
    private static readonly string Root = FloorsTests.RepositoryRoot();

    public static TheoryData<string> Sources => [.. SourceNames()];

    [Theory]
    [MemberData(nameof(Sources))]
    public void Ptx_CarriesTheHashOfItsSources(string name)
    {
        string ptx = File.ReadAllText(Path.Combine(Root, "native", "ptx", name + ".ptx"));
        string stamped = HashLine().Match(ptx).Groups[1].Value;
        Assert.True(
            stamped == SourceHash(name),
            $"native/ptx/{name}.ptx is older than its source; run: cmake -S . -B build && cmake --build build --target ptx");
    }

    [Fact]
    public void Ptx_AndSources_AreTheSameFiles() =>
        Assert.Equal(SourceNames().Select(name => name + ".ptx"), Ptx.All.Select(ptx => ptx.File));

    [Fact]
    public void Ptx_HasTheKernelsThatAreLaunched_AndNoOther()
    {
        string[] launched = [.. Launches().Select(launch => launch.Kernel).Distinct().Order(StringComparer.Ordinal)];
        string[] compiled =
            [.. Ptx.All.SelectMany(ptx => ptx.Kernels()).Select(kernel => kernel.Name).Distinct().Order(StringComparer.Ordinal)];
        Assert.Equal(launched, compiled);
    }

    [Fact]
    public void Kernel_OfOneTarget_IsInOneFile()
    {
        foreach (IGrouping<Version, Ptx> target in Ptx.All.GroupBy(ptx => ptx.Target))
        {
            string[] names = [.. target.SelectMany(ptx => ptx.Kernels()).Select(kernel => kernel.Name)];
            Assert.Equal(names.Distinct(), names);
        }
    }

    [Theory]
    [InlineData(7, 0, 7, 0)]
    [InlineData(7, 5, 7, 0)]
    [InlineData(8, 0, 8, 0)]
    [InlineData(8, 6, 8, 0)]
    [InlineData(9, 0, 8, 0)]
    [InlineData(12, 1, 8, 0)]
    public void For_Card_GivesWhatItCanRun_NewestLast(int major, int minor, int targetMajor, int targetMinor)
    {
        Version[] targets = [.. Ptx.For(new Version(major, minor)).Select(ptx => ptx.Target)];
        Assert.Equal(targets.Order(), targets);
        Assert.Equal(Ptx.All.Select(ptx => ptx.Target).Where(target => target <= new Version(targetMajor, targetMinor)).Order(), targets);
    }

    [Fact]
    public void Launch_IsInTheFileOfItsFamily()
    {
        Dictionary<string, string> homes = Ptx.All
            .SelectMany(ptx => ptx.Kernels().Select(kernel => (kernel.Name, Family: FamilyOf(ptx.File))))
            .Distinct()
            .ToDictionary(home => home.Name, home => home.Family);
        // what several families share is in a file of no family
        foreach ((string kernel, string family) in Launches().Where(launch => homes.ContainsValue(launch.Family.ToUpperInvariant())))
        {
            Assert.True(
                string.Equals(homes[kernel], family, StringComparison.OrdinalIgnoreCase),
                $"CudaBackend.{family}.cs launches {kernel}, which is at home in {homes[kernel]}.cu");
        }
    }

    [Theory]
    [MemberData(nameof(Sources))]
    public void Ptx_NamesNoPathOfAMachine_AndNeedsNothingNewerThanItsNameSays(string name)
    {
        string ptx = File.ReadAllText(Path.Combine(Root, "native", "ptx", name + ".ptx"));
        string target = name.Contains('.', StringComparison.Ordinal) ? name.Split('.')[1] : "sm_70";
        Assert.Contains($"\n.target {target}", ptx, StringComparison.Ordinal);
        Assert.DoesNotContain("call.uni", ptx, StringComparison.Ordinal);
        Assert.DoesNotMatch(AbsoluteFile(), ptx);
    }

    private static IEnumerable<string> SourceNames() =>
        Directory.EnumerateFiles(Path.Combine(Root, "native", "kernels"), "*.cu")
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);

    /// <summary>The family that a PTX file has the kernels of: "BALANCELOSSES" of balance_losses.ptx, balance_losses.sm_80.ptx.</summary>
    private static string FamilyOf(string file) => file.Split('.')[0].Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>
    /// The rule of native/cmake/build_ptx.cmake: NAME.cu and the headers that it includes, by name: the name, a line feed, the text
    /// with line feeds.
    /// </summary>
    private static string SourceHash(string name)
    {
        string folder = Path.Combine(Root, "native", "kernels");
        StringBuilder all = new();
        foreach (string file in WithIncluded(folder, name + ".cu"))
            all.Append(file).Append('\n').Append(File.ReadAllText(Path.Combine(folder, file)).ReplaceLineEndings("\n"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all.ToString())));
    }

    private static SortedSet<string> WithIncluded(string folder, string source)
    {
        SortedSet<string> files = new(StringComparer.Ordinal) { source };
        Stack<string> waiting = new(files);
        while (waiting.TryPop(out string? file))
        {
            foreach (Match include in Include().Matches(File.ReadAllText(Path.Combine(folder, file))))
            {
                if (files.Add(include.Groups[1].Value))
                    waiting.Push(include.Groups[1].Value);
            }
        }

        return files;
    }

    /// <summary>Every launch, or kernel of a table of them, in the source of the backend, and the family of the file it is in.</summary>
    private static IEnumerable<(string Kernel, string Family)> Launches() =>
        Directory.EnumerateFiles(Path.Combine(Root, "src", "TinyMoE.Cuda"), "CudaBackend.*.cs").SelectMany(file =>
            LaunchCall().Matches(File.ReadAllText(file))
                .SelectMany(call => Literal().Matches(call.Groups[1].Value))
                .Select(name => (name.Groups[1].Value, Path.GetFileName(file).Split('.')[1])));

    [GeneratedRegex("""\b(?:Launch|new TiledKernel)\(([^,]*?"[^,]*),""")]
    private static partial Regex LaunchCall();

    [GeneratedRegex("\"([a-z0-9_]+)\"")]
    private static partial Regex Literal();

    [GeneratedRegex("^#include \"([^\"]+)\"", RegexOptions.Multiline)]
    private static partial Regex Include();

    [GeneratedRegex("^// source-sha256: ([0-9a-f]{64})$", RegexOptions.Multiline)]
    private static partial Regex HashLine();

    [GeneratedRegex("""\.file\s+\d+\s+"(/|[A-Za-z]:)""")]
    private static partial Regex AbsoluteFile();
}
