using System.Diagnostics;
using System.Reflection;
using System.Runtime.Loader;
using ManagedCuda;
using TinyMoE.Cuda;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cuda;

/// <summary>Where cuBLAS is looked for, and in which order.</summary>
[Collection(CudaCollection.Name)]
public sealed class CublasFilesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(13, "nvidia/cu13/lib/libcublas.so.13")]
    [InlineData(12, "nvidia/cublas/lib/libcublas.so.12")]
    public void Candidates_BeginWithTheNewestThatTheDriverRuns(int newest, string expected)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the names are those of Linux");
        AddEnvironment();
        string[] found = [.. CublasFiles.Candidates(name => name == "VIRTUAL_ENV" ? folder["venv"] : null, newest)];
        Assert.EndsWith(expected, found[0], StringComparison.Ordinal);
        Assert.DoesNotContain(found, file => file.EndsWith($".{newest + 1}", StringComparison.Ordinal));
    }

    [Fact]
    public void Candidates_OfOneVersion_AreWhatIsNamedThenTheLoadersThenTheUsual()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the names are those of Linux");
        AddEnvironment();
        string toolkit = folder.Write("toolkit/lib64/libcublas.so.12", ""), local = folder.Write(
            "home/.local/lib/python3.11/site-packages/nvidia/cublas/lib/libcublas.so.12", "");
        Dictionary<string, string> environment = new()
        {
            ["CUDA_PATH"] = folder["toolkit"], ["VIRTUAL_ENV"] = folder["venv"], ["HOME"] = folder["home"], ["PATH"] = "",
        };
        string[] found = [.. CublasFiles.Candidates(environment.GetValueOrDefault, 12)];
        int named = Array.IndexOf(found, toolkit), python = Array.FindIndex(
            found, file => file.StartsWith(folder["venv"], StringComparison.Ordinal));
        int loader = Array.IndexOf(found, "libcublas.so.12"), usual = Array.IndexOf(found, local);
        Assert.Equal([named, python, loader, usual], new[] { named, python, loader, usual }.Order());
        Assert.Equal(0, named);
        Assert.Contains("libcublas.so.11", found);
        Assert.Equal("libcublas.so", found[^1]);
    }

    [Fact]
    public void Companion_IsTheLibraryBesideIt()
    {
        string blas = folder.Write("a/libcublas.so.12", ""), other = folder.Write("b/libcublas.so.12", "");
        string companion = folder.Write("a/libcublasLt.so.12", "");
        Assert.Equal(companion, CublasFiles.CompanionOf(blas));
        Assert.Null(CublasFiles.CompanionOf(other));
        Assert.Null(CublasFiles.CompanionOf("libcublas.so.12"));
        Assert.Null(CublasFiles.CompanionOf(companion));
    }

    [EmulatedFact]
    public void CublasOfAPythonEnvironment_IsLoadedWithWhatLiesBesideIt()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the names are those of Linux");
        Emulator.Configure("");
        using CudaBackend before = new(); // with the library that the tests share
        string? library = Environment.GetEnvironmentVariable("TINYMOE_CUBLAS_LIBRARY");
        string? environment = Environment.GetEnvironmentVariable("VIRTUAL_ENV");
        string blas = folder.Write("venv/lib/python3.12/site-packages/nvidia/cublas/lib/libcublas.so.12", "");
        string companion = Path.Combine(Path.GetDirectoryName(blas)!, "libcublasLt.so.12");
        foreach (string copy in (string[])[blas, companion])
            File.Copy(library!, copy, overwrite: true);
        Environment.SetEnvironmentVariable("TINYMOE_CUBLAS_LIBRARY", null);
        Environment.SetEnvironmentVariable("VIRTUAL_ENV", folder["venv"]);
        try
        {
            Assembly bindings = new SecondBindings().LoadFromAssemblyName(typeof(CudaBackend).Assembly.GetName());
            using IDisposable backend = (IDisposable)Activator.CreateInstance(bindings.GetType(typeof(CudaBackend).FullName!)!, 0, null)!;
            using Process process = Process.GetCurrentProcess();
            string[] loaded = [.. process.Modules.Cast<ProcessModule>().Select(module => module.FileName)];
            Assert.Contains(blas, loaded);
            Assert.Contains(companion, loaded);
        }
        finally
        {
            Environment.SetEnvironmentVariable("TINYMOE_CUBLAS_LIBRARY", library);
            Environment.SetEnvironmentVariable("VIRTUAL_ENV", environment);
        }

        // What is told later is a library that is there, though the removed copy stays loaded.
        File.Delete(blas);
        File.Delete(companion);
        Assert.True(File.Exists(LoadedLibraries.Cublas));
    }

    private void AddEnvironment()
    {
        folder.Write("venv/lib/python3.12/site-packages/nvidia/cu13/lib/libcublas.so.13", "");
        folder.Write("venv/lib/python3.12/site-packages/nvidia/cublas/lib/libcublas.so.12", "");
    }

    private sealed class SecondBindings : AssemblyLoadContext
    {
        protected override Assembly? Load(AssemblyName assemblyName) =>
            assemblyName.Name is "TinyMoE.Cuda" or "ManagedCuda.Subset"
                ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, assemblyName.Name + ".dll"))
                : null;
    }
}
