using System.Reflection;
using System.Text.RegularExpressions;
using TinyMoE.App;

namespace TinyMoE.Tests.App;

/// <summary>The use cases know no console, and the command line makes no model of its own: it only has words for what they do.</summary>
public sealed partial class FloorTests
{
    [Fact]
    public void App_ReferencesTheLibrary_ParquetAndWhatDotNetCallsAChatOnly()
    {
        AssemblyName[] references = typeof(Training).Assembly.GetReferencedAssemblies();
        Assert.Equal(
            ["Microsoft.Extensions.AI.Abstractions", "Parquet", "TinyMoE.Core", "TinyMoE.Cuda"],
            references.Select(reference => reference.Name!).Where(name => !name.StartsWith("System.", StringComparison.Ordinal)).Order());
        Assert.DoesNotContain(references, reference => reference.Name is "System.Console" or "System.CommandLine");
    }

    [Fact]
    public void App_HasNoConsole() => Assert.Empty(FilesThat(Consoles(), "TinyMoE.App"));

    [Fact]
    public void Cli_MakesNoModel() => Assert.Empty(FilesThat(Makers(), "TinyMoE.Cli"));

    private static IEnumerable<string> FilesThat(Regex match, string project)
    {
        string folder = Path.Combine(FloorsTests.RepositoryRoot(), "src", project);
        string[] files = [.. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories).Where(IsSource)];
        Assert.NotEmpty(files);
        return files.Where(file => match.IsMatch(File.ReadAllText(file)));

        bool IsSource(string file) => Path.GetRelativePath(folder, file).Split(Path.DirectorySeparatorChar)[0] is not ("bin" or "obj");
    }

    [GeneratedRegex(@"\b(Console|TextWriter|Spectre|CommandLine)\b")]
    private static partial Regex Consoles();

    [GeneratedRegex(@"\b(Corpus|Checkpoint|RunFolder|Trainer|Decoder|Generator|Evaluation|CpuBackend|CudaBackend)\b[.(]")]
    private static partial Regex Makers();
}
