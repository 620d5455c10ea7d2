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

    private static string? PathOf(string start)
    {
        using Process process = Process.GetCurrentProcess();
        foreach (ProcessModule module in process.Modules)
        {
            using (module)
            {
                if (Path.GetFileName(module.FileName).StartsWith(start, StringComparison.OrdinalIgnoreCase))
                    return module.FileName;
            }
        }

        return null;
    }
}
