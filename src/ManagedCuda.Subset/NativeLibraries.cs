using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ManagedCuda;

/// <summary>Finds the driver and cuBLAS: where the environment says, else by the names that they have on this system, in order.</summary>
internal static class NativeLibraries
{
    private static readonly string[] DriverNames = OperatingSystem.IsWindows() ? ["nvcuda"] : ["libcuda.so.1", "libcuda.so"];

    private static readonly string[] BlasNames = OperatingSystem.IsWindows()
        ? ["cublas64_12", "cublas64_13", "cublas64_11"]
        : ["libcublas.so.12", "libcublas.so.13", "libcublas.so.11", "libcublas.so"];

    static NativeLibraries() => NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Load);

    /// <summary>Makes sure that the resolver is in place: every class with entry points calls this first.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Resolve()
    {
    }

    private static IntPtr Load(string name, Assembly assembly, DllImportSearchPath? path)
    {
        (string variable, string[] names) = name == DriverAPINativeMethods.Library
            ? ("TINYMOE_CUDA_LIBRARY", DriverNames)
            : ("TINYMOE_CUBLAS_LIBRARY", BlasNames);
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } file)
            return NativeLibrary.Load(file); // an override that cannot be loaded is an error, not a reason to take another
        foreach (string candidate in names)
        {
            if (NativeLibrary.TryLoad(candidate, assembly, path, out IntPtr library))
                return library;
        }

        return IntPtr.Zero; // the runtime throws its DllNotFoundException
    }
}
