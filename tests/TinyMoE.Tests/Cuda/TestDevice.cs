using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// Which CUDA device the tests run on: the emulated one, which building this project builds, or, with the environment variable TINYMOE_TEST_CUDA=real, NVIDIA's
/// driver and cuBLAS. A process can hold one driver only, so a machine with a card runs the tests twice.
/// </summary>
internal static class TestDevice
{
    private static readonly bool IsReal = Environment.GetEnvironmentVariable("TINYMOE_TEST_CUDA") == "real";

    private static readonly Dictionary<string, CudaBackend> Shared = [];

    private static string Folder => Path.Combine(FloorsTests.RepositoryRoot(), "tests", "TinyMoE.Tests", "obj", "emulator", "emulator");

    /// <summary>Why there is no device; null when there is one.</summary>
    public static string? WhyNone { get; } = IsReal || File.Exists(Emulator.DriverPath(Folder))
        ? null
        : "no emulated CUDA device: it is built with this project when CMake and a C++20 compiler are there";

    /// <summary>Why the emulator's own checks cannot be had; null when they can.</summary>
    public static string? WhyNotEmulated { get; } = IsReal ? "this is about the emulated device, and the tests run on a real one" : null;

    /// <summary>Whether tests may ask the emulator for checks and counts.</summary>
    public static bool IsEmulated => !IsReal && WhyNone is null;

    /// <summary>Points the bindings at the emulator before anything loads a driver.</summary>
    [ModuleInitializer]
    internal static void ChooseLibraries()
    {
        if (IsEmulated)
            Emulator.ChooseLibraries(Folder);
    }

    /// <summary>A backend on the device, checked by the emulator as <paramref name="settings"/> say (none of it on a real one).</summary>
    public static CudaBackend NewBackend(string settings = "", CudaOptions? options = null)
    {
        if (IsEmulated)
            Emulator.Configure(settings);
        CudaBackend backend = new(0, options, granularity: IsEmulated ? 2 : 256);
        DeviceKinds.Tell(backend.Name);
        return backend;
    }

    /// <summary>One backend for many tests of the same settings: loading the kernels takes longer than most tests. Not to be disposed.</summary>
    public static CudaBackend SharedBackend(string settings)
    {
        if (!Shared.TryGetValue(settings, out CudaBackend? backend))
            return Shared[settings] = NewBackend(settings);
        if (IsEmulated)
            Emulator.Configure(settings);
        return backend;
    }

    /// <summary>The emulator's checks found nothing since <see cref="NewBackend"/> or <see cref="SharedBackend"/>.</summary>
    public static void RequireNoFinding()
    {
        if (IsEmulated)
            Assert.Equal("", Emulator.TakeFindings());
    }
}

/// <summary>The emulator's own entry points (native/emulator/control.h).</summary>
internal static unsafe class Emulator
{
    private static nint library;

    /// <summary>The settings under which every check is on and work is done in the strangest order allowed.</summary>
    public const string AllChecks = "race,strict,shuffle=7,lazy";

    /// <summary>Live allocations on all devices.</summary>
    public static int Allocations => ((delegate* unmanaged<int>)Export("tinymoe_emulator_allocations"))();

    /// <summary>Kernels launched since <see cref="Configure"/>.</summary>
    public static int Launches => ((delegate* unmanaged<int>)Export("tinymoe_emulator_launches"))();

    /// <summary>Times that the host waited for the device since <see cref="Configure"/>.</summary>
    public static int Synchronizations => ((delegate* unmanaged<int>)Export("tinymoe_emulator_synchronizations"))();

    /// <summary>Calls for device memory since <see cref="Configure"/>.</summary>
    public static int AllocationCalls => ((delegate* unmanaged<int>)Export("tinymoe_emulator_allocation_calls"))();

    /// <summary>Where the emulated driver lies in the folder that CMake builds into.</summary>
    public static string DriverPath(string folder) => Path.Combine(folder, OperatingSystem.IsWindows() ? "nvcuda.dll" : "libcuda.so.1");

    /// <summary>Lets the bindings of this process load the emulator.</summary>
    public static void ChooseLibraries(string folder)
    {
        Environment.SetEnvironmentVariable("TINYMOE_CUDA_LIBRARY", DriverPath(folder));
        Environment.SetEnvironmentVariable("TINYMOE_CUBLAS_LIBRARY", Path.Combine(folder, OperatingSystem.IsWindows() ? "cublas64_12.dll" : "libcublas.so.12"));
    }

    /// <summary>Begins anew with these settings (see native/emulator/README.md): all counts are zero, no finding is kept.</summary>
    public static void Configure(string settings)
    {
        nint text = Marshal.StringToCoTaskMemUTF8(settings);
        nint wrong = ((delegate* unmanaged<nint, nint>)Export("tinymoe_emulator_configure"))(text);
        Marshal.FreeCoTaskMem(text);
        Assert.True(wrong == 0, Marshal.PtrToStringUTF8(wrong));
    }

    /// <summary>What the checks found since the last call; empty: nothing.</summary>
    public static string TakeFindings() => Text("tinymoe_emulator_findings");

    /// <summary>What each kernel cost since the last call, as JSON; empty array unless the settings say <c>count</c>.</summary>
    public static string TakeCounters() => Text("tinymoe_emulator_counters");

    private static string Text(string entry)
    {
        byte[] text = new byte[1 << 20];
        fixed (byte* start = text)
        {
            int length = ((delegate* unmanaged<byte*, int, int>)Export(entry))(start, text.Length);
            return System.Text.Encoding.UTF8.GetString(text, 0, Math.Min(length, text.Length));
        }
    }

    private static nint Export(string entry)
    {
        if (library == 0)
            library = NativeLibrary.Load(Environment.GetEnvironmentVariable("TINYMOE_CUDA_LIBRARY")!);
        return NativeLibrary.GetExport(library, entry);
    }
}

/// <summary>Notes which devices ran, for the line that ends <c>dotnet test</c>.</summary>
internal static class DeviceKinds
{
    private static readonly HashSet<string> Known = [];

    public static void Tell(string device)
    {
        lock (Known)
        {
            if (Known.Add(device))
                File.AppendAllLines(Path.Combine(AppContext.BaseDirectory, "device-kinds.txt"), [device]);
        }
    }
}
