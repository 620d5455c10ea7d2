using System.Runtime.CompilerServices;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// Which CUDA device the tests run on: the emulated one, which building this project builds, or, with the environment variable
/// TINYMOE_TEST_CUDA=real, NVIDIA's driver and cuBLAS. A process can hold one driver only, so a machine with a card runs the tests twice.
/// </summary>
internal static class TestDevice
{
    private static readonly bool IsReal = Environment.GetEnvironmentVariable("TINYMOE_TEST_CUDA") == "real";

    private static CudaBackend? shared;

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
        DeviceKinds.Tell(IsEmulated ? "an emulated CUDA device" : backend.Name);
        return backend;
    }

    /// <summary>One backend for many tests: loading the kernels takes longer than most of them. Not to be disposed.</summary>
    public static CudaBackend SharedBackend(string settings)
    {
        if (shared is null)
            return shared = NewBackend(settings);
        if (IsEmulated)
            Emulator.Configure(settings);
        return shared;
    }

    /// <summary>A backend that tests share, or <paramref name="another"/> for the first of them; with no settings of the test
    /// before.</summary>
    public static CudaBackend Kept<TKey>(Dictionary<TKey, CudaBackend> kept, TKey key, Func<CudaBackend> another)
        where TKey : notnull
    {
        if (!kept.TryGetValue(key, out CudaBackend? backend))
            kept.Add(key, backend = another());
        if (IsEmulated)
            Emulator.Configure("");
        return backend;
    }

    /// <summary>The emulator's checks found nothing since <see cref="NewBackend"/> or <see cref="SharedBackend"/>.</summary>
    public static void RequireNoFinding()
    {
        if (IsEmulated)
            Assert.Equal("", Emulator.TakeFindings());
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
