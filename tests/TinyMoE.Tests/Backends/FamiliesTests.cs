using System.Text.RegularExpressions;
using TinyMoE.Backends;
using TinyMoE.Backends.Cases;

namespace TinyMoE.Tests.Backends;

/// <summary>A family of kernels has one name everywhere, and each of its kernels stands in the files of that name.</summary>
public sealed partial class FamiliesTests
{
    private static readonly string Library = Path.Combine(FloorsTests.RepositoryRoot(), "src", "TinyMoE");
    private static readonly string Cuda = Path.Combine(FloorsTests.RepositoryRoot(), "src", "TinyMoE.Cuda");

    private static IEnumerable<string> Names =>
        Files(Path.Combine(Library, "Backends"), "Backend.*.cs").Select(file => file.Split('.')[1]).Order();

    public static TheoryData<string> Families => [.. Names];

    [Theory]
    [MemberData(nameof(Families))]
    public void Family_HasItsFiles_AndEveryKernelIsInThem(string family)
    {
        string[] kernels = [.. Kernel().Matches(File.ReadAllText(Path.Combine(Library, "Backends", $"Backend.{family}.cs"))).Select(
            match => match.Groups[1].Value)];
        Assert.NotEmpty(kernels);
        foreach ((string folder, string prefix) in new[]
        {
            (Path.Combine(Library, "Backends", "Cpu"), "CpuBackend"), (Path.Combine(Library, "Backends", "Profiling"), "ProfilingBackend"),
                (Cuda, "CudaBackend"),
        })
        {
            Assert.Contains($"{prefix}.{family}.cs", Files(folder, "*.cs"));
            string text =
                string.Concat(Files(folder, $"{prefix}.{family}*.cs").Select(file => File.ReadAllText(Path.Combine(folder, file))));
            Assert.All(kernels, kernel => Assert.Matches($@"override [\w<>]+ {kernel}\b", text));
        }

        Assert.Contains($"{family}Cases.cs", Files(Path.Combine(Library, "Backends", "Cases"), "*.cs"));
        Assert.Contains($"{UpperCase().Replace(family, "_$0").ToLowerInvariant()}.cu",
            Files(Path.Combine(FloorsTests.RepositoryRoot(), "native", "kernels"), "*.cu"));
        if (family != "Optim") // kernels of no op
            Assert.Contains($"Ops.{family}.cs", Files(Path.Combine(Library, "Ops"), "*.cs"));
    }

    [Fact]
    public void Cases_AreOfFamilies_AndEachHasSome() =>
        Assert.Equal(
            Names, KernelCaseList.Of(KernelSizes.Odd).Select(c => c.Family).Distinct().Order());

    [Fact]
    public void EveryKernelOfTheContract_StandsInAFamily()
    {
        string families = string.Concat(Files(Path.Combine(Library, "Backends"), "Backend.*.cs").Select(
            file => File.ReadAllText(Path.Combine(Library, "Backends", file))));
        IEnumerable<string> kernels = typeof(Backend).GetMethods().Where(
            method => method.IsAbstract && !method.IsSpecialName && method.Name != nameof(Backend.Dispose)).Select(method => method.Name);
        Assert.All(kernels, kernel => Assert.Matches($@"abstract [\w<>]+ {kernel}\b", families));
    }

    private static IEnumerable<string> Files(string folder, string pattern) =>
        Directory.GetFiles(folder, pattern).Select(file => Path.GetFileName(file));

    [GeneratedRegex(@"public abstract [\w<>]+ (\w+)[<(]")]
    private static partial Regex Kernel();

    [GeneratedRegex("(?<=[a-z])[A-Z]")]
    private static partial Regex UpperCase();
}
