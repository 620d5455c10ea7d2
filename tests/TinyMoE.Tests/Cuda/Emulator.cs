using System.Runtime.InteropServices;
using System.Text.Json;

namespace TinyMoE.Tests.Cuda;

/// <summary>The emulator's own entry points (native/emulator/control.h).</summary>
internal static unsafe class Emulator
{
    private static nint library;

    /// <summary>The settings under which every check is on and work is done in the strangest order allowed.</summary>
    public const string AllChecks = "race,strict,shuffle=7,lazy";

    /// <summary>Every check by itself, and all of them together.</summary>
    public static IReadOnlyList<string> EachCheck { get; } = ["race", "strict", "shuffle=3", "lazy", AllChecks];

    /// <summary>Live allocations on all devices.</summary>
    public static int Allocations => ((delegate* unmanaged<int>)Export("tinymoe_emulator_allocations"))();

    /// <summary>Kernels launched since <see cref="Configure"/>.</summary>
    public static int Launches => ((delegate* unmanaged<int>)Export("tinymoe_emulator_launches"))();

    /// <summary>Products through cuBLAS since <see cref="Configure"/>.</summary>
    public static int Products => ((delegate* unmanaged<int>)Export("tinymoe_emulator_products"))();

    /// <summary>Graphs launched since <see cref="Configure"/>.</summary>
    public static int GraphLaunches => ((delegate* unmanaged<int>)Export("tinymoe_emulator_graph_launches"))();

    /// <summary>What was in the graphs that were launched since <see cref="Configure"/>: kernels, products, copies and fills.</summary>
    public static int GraphNodes => ((delegate* unmanaged<int>)Export("tinymoe_emulator_graph_nodes"))();

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
        string cublas = OperatingSystem.IsWindows() ? "cublas64_12.dll" : "libcublas.so.12";
        Environment.SetEnvironmentVariable("TINYMOE_CUBLAS_LIBRARY", Path.Combine(folder, cublas));
    }

    /// <summary>Begins anew with these settings (see native/emulator/README.md): all counts are zero, no finding is kept.</summary>
    public static void Configure(string settings)
    {
        nint text = Marshal.StringToCoTaskMemUTF8(settings);
        nint wrong = ((delegate* unmanaged<nint, nint>)Export("tinymoe_emulator_configure"))(text);
        Marshal.FreeCoTaskMem(text);
        if (wrong != 0)
            throw new ArgumentException(Marshal.PtrToStringUTF8(wrong), nameof(settings));
    }

    /// <summary>What the checks found since the last call; empty: nothing.</summary>
    public static string TakeFindings() => Text("tinymoe_emulator_findings");

    /// <summary>What each kernel cost since the last call, as JSON; empty array unless the settings say <c>count</c>.</summary>
    public static string TakeCounters() => Text("tinymoe_emulator_counters");

    /// <summary>What was asked of the device since <see cref="Configure"/>, by name: launches, products, synchronizations, allocations,
    /// copiesToDevice, bytesToDevice, copiesToHost, bytesToHost, copiesInside, bytesInside, fills, bytesFilled,
    /// productFloatMultiplyAdds, productTf32MultiplyAdds, productBfloat16MultiplyAdds (what cuBLAS multiplied).</summary>
    public static IReadOnlyDictionary<string, long> Activity() =>
        JsonSerializer.Deserialize<Dictionary<string, long>>(Text("tinymoe_emulator_activity"))!;

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
