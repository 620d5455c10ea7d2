using System.Diagnostics;
using System.Runtime.InteropServices;

namespace TinyMoE.Cuda;

/// <summary>The native libraries that this process has loaded, whoever found them: our bindings, ManagedCuda's, or the loader.</summary>
internal static unsafe class LoadedLibraries
{
    /// <summary>The file of the driver's library; null: it is not loaded, or the system does not tell.</summary>
    public static string? Cuda => PathOf(OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so");

    /// <summary>The file of cuBLAS.</summary>
    public static string? Cublas => PathOf(OperatingSystem.IsWindows() ? "cublas64_" : "libcublas.so");

    /// <summary>The file of the library that cuBLAS stands on, which can be of another version by mistake.</summary>
    public static string? CublasLt => PathOf(OperatingSystem.IsWindows() ? "cublasLt64_" : "libcublasLt.so");

    /// <summary>The name that the loaded cuBLAS has for a status; null where it has none, or is too old to tell.</summary>
    public static string? CublasNameOf(int status)
    {
        if (Cublas is not { } path || !NativeLibrary.TryLoad(path, out nint library)
            || !NativeLibrary.TryGetExport(library, "cublasGetStatusName", out nint entry))
            return null;
        string? name = Marshal.PtrToStringAnsi(((delegate* unmanaged<int, nint>)entry)(status));
        return string.IsNullOrEmpty(name) || name.StartsWith('<') ? null : CudaErrors.OneLine(name);
    }

    /// <summary>The first loaded file of this name that is still there (a second copy may have
    /// been removed while it was in use), else the first of this name.</summary>
    private static string? PathOf(string start)
    {
        using Process process = Process.GetCurrentProcess();
        string[] files =
        [
            .. process.Modules.Cast<ProcessModule>().Select(module => module.FileName)
                .Where(file => Path.GetFileName(file).StartsWith(start, StringComparison.OrdinalIgnoreCase)),
        ];
        return files.FirstOrDefault(File.Exists) ?? files.FirstOrDefault();
    }
}
