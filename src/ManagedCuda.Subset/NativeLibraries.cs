using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ManagedCuda.BasicTypes;

namespace ManagedCuda;

/// <summary>Finds the driver and cuBLAS: where the environment says, else by the names that they have on this system, in order.</summary>
internal static class NativeLibraries
{
    private const int NewestBlasOfVolta = 12, FirstCapabilityOfNewer = 75; // cuBLAS 13 has no kernels for cards before Turing

    // The last is where WSL keeps it, should the loader not know.
    private static readonly string[] DriverNames =
        OperatingSystem.IsWindows() ? ["nvcuda"] : ["libcuda.so.1", "libcuda.so", "/usr/lib/wsl/lib/libcuda.so.1"];

    static NativeLibraries() => NativeLibrary.SetDllImportResolver(typeof(NativeLibraries).Assembly, Load);

    /// <summary>Makes sure that the resolver is in place: every class with entry points calls this first.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Resolve()
    {
    }

    private static IntPtr Load(string name, Assembly assembly, DllImportSearchPath? path)
    {
        bool isDriver = name == DriverAPINativeMethods.Library;
        string variable = isDriver ? "TINYMOE_CUDA_LIBRARY" : "TINYMOE_CUBLAS_LIBRARY";
        if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } file)
        {
            LoadCompanion(file);
            return NativeLibrary.Load(file); // an override that cannot be loaded is an error, not a reason to take another
        }

        foreach (string candidate in isDriver ? DriverNames : CublasFiles.Candidates(Environment.GetEnvironmentVariable, NewestBlas()))
        {
            LoadCompanion(candidate);
            if (NativeLibrary.TryLoad(candidate, assembly, path, out IntPtr library))
                return library;
        }

        return IntPtr.Zero; // the runtime throws its DllNotFoundException
    }

    /// <summary>The libcublasLt that lies beside a cuBLAS: loaded first, it is the one
    /// that cuBLAS gets, whatever of another version the loader would have found before.</summary>
    private static void LoadCompanion(string file)
    {
        if (CublasFiles.CompanionOf(file) is { } companion)
            _ = NativeLibrary.TryLoad(companion, out _);
    }

    /// <summary>The newest CUDA whose cuBLAS the driver and every card here can run.</summary>
    private static int NewestBlas()
    {
        int version = 0, count = 0;
        if (DriverAPINativeMethods.cuDriverGetVersion(ref version) != CUResult.Success)
            return int.MaxValue;
        int newest = version / 1000;
        _ = DriverAPINativeMethods.DeviceManagement.cuDeviceGetCount(ref count);
        for (int i = 0; i < count && newest > NewestBlasOfVolta; i++)
        {
            CUdevice device = default;
            int major = 0, minor = 0;
            _ = DriverAPINativeMethods.DeviceManagement.cuDeviceGet(ref device, i);
            _ = DriverAPINativeMethods.DeviceManagement.cuDeviceGetAttribute(ref major, CUDeviceAttribute.ComputeCapabilityMajor, device);
            _ = DriverAPINativeMethods.DeviceManagement.cuDeviceGetAttribute(ref minor, CUDeviceAttribute.ComputeCapabilityMinor, device);
            if (10 * major + minor < FirstCapabilityOfNewer)
                newest = NewestBlasOfVolta;
        }

        return newest;
    }
}
