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
        string[] compiled = [.. Ptx.All.SelectMany(ptx => ptx.Kernels()).Select(kernel => kernel.Name).Order(StringComparer.Ordinal)];
        Assert.Equal(launched, compiled);
    }

    [Fact]
    public void Launch_IsInTheFileOfItsFamily()
    {
        Dictionary<string, string> homes = Ptx.All
            .SelectMany(ptx => ptx.Kernels().Select(kernel => (kernel.Name, Family: FamilyOf(ptx.File))))
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
    public void Ptx_NamesNoPathOfAMachine_AndNeedsNothingNewerThanVolta(string name)
    {
        string ptx = File.ReadAllText(Path.Combine(Root, "native", "ptx", name + ".ptx"));
        Assert.Contains(".target sm_70", ptx, StringComparison.Ordinal);
        Assert.DoesNotContain("call.uni", ptx, StringComparison.Ordinal);
        Assert.DoesNotMatch(AbsoluteFile(), ptx);
    }

    private static IEnumerable<string> SourceNames() =>
        Directory.EnumerateFiles(Path.Combine(Root, "native", "kernels"), "*.cu")
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);

    /// <summary>The family that a PTX file has the kernels of, "BALANCELOSSES" of balance_losses.ptx.</summary>
    private static string FamilyOf(string file) => file[..^4].Replace("_", "", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>
    /// The rule of native/cmake/build_ptx.cmake: NAME.cu and every header, by name: the name, a line feed, the text with line feeds.
    /// </summary>
    private static string SourceHash(string name)
    {
        string folder = Path.Combine(Root, "native", "kernels");
        StringBuilder all = new();
        IEnumerable<string> headers = Directory.EnumerateFiles(folder, "*.cuh").Select(path => Path.GetFileName(path));
        foreach (string file in headers.Append(name + ".cu").Order(StringComparer.Ordinal))
            all.Append(file).Append('\n').Append(File.ReadAllText(Path.Combine(folder, file)).ReplaceLineEndings("\n"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all.ToString())));
    }

    /// <summary>Every launch in the source of the backend, and the family of the file it is in.</summary>
    private static IEnumerable<(string Kernel, string Family)> Launches() =>
        Directory.EnumerateFiles(Path.Combine(Root, "src", "TinyMoE.Cuda"), "CudaBackend.*.cs").SelectMany(file =>
            LaunchCall().Matches(File.ReadAllText(file))
                .SelectMany(call => Literal().Matches(call.Groups[1].Value))
                .Select(name => (name.Groups[1].Value, Path.GetFileName(file).Split('.')[1])));

    [GeneratedRegex("""\bLaunch\(([^,]*?"[^,]*),""")]
    private static partial Regex LaunchCall();

    [GeneratedRegex("\"([a-z0-9_]+)\"")]
    private static partial Regex Literal();

    [GeneratedRegex("^// source-sha256: ([0-9a-f]{64})$", RegexOptions.Multiline)]
    private static partial Regex HashLine();

    [GeneratedRegex("""\.file\s+\d+\s+"(/|[A-Za-z]:)""")]
    private static partial Regex AbsoluteFile();
}
