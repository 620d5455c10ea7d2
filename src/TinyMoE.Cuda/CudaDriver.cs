using System.Text;

namespace TinyMoE.Cuda;

/// <summary>The driver and the devices that it sees. Each way in which a
/// machine may be without CUDA is one line that says what to do.</summary>
public static class CudaDriver
{
    /// <summary>The oldest CUDA version whose driver reads the PTX that TinyMoE ships (PTX 7.8), as 1000·major + 10·minor.</summary>
    private const int OldestVersion = 11080;

    /// <summary>The newest CUDA version that the driver knows, as 12.4.</summary>
    /// <exception cref="TinyMoEException">There is no driver.</exception>
    public static Version Version
    {
        get
        {
            Start();
            int version = 0;
            Check(Driver.cuDriverGetVersion(ref version), nameof(Driver.cuDriverGetVersion));
            return new Version(version / 1000, version % 1000 / 10);
        }
    }

    /// <summary>The file that the driver was loaded from; null where the system does not tell.</summary>
    public static string? LibraryPath => LoadedLibraries.Cuda;

    /// <summary>The provider of the ManagedCuda API in this build: Subset or ManagedCuda.</summary>
    public static string Bindings => typeof(Driver).Assembly.GetName().Name == "ManagedCuda.Subset" ? "Subset" : "ManagedCuda";

    /// <summary>All devices that the driver sees, by number.</summary>
    /// <exception cref="TinyMoEException">There is no driver, no device, or the driver is too old.</exception>
    public static IReadOnlyList<CudaDeviceInfo> Devices()
    {
        Start();
        Version oldest = new(OldestVersion / 1000, OldestVersion % 1000 / 10);
        if (Version is { } version && version < oldest)
            throw new CudaFailure(
                $"The CUDA driver is too old: it knows CUDA {version}, TinyMoE needs {oldest} (NVIDIA driver 520 or newer). "
                + "Update the driver, or use the CPU.");
        int count = 0;
        Check(Driver.DeviceManagement.cuDeviceGetCount(ref count), nameof(Driver.DeviceManagement.cuDeviceGetCount));
        if (count == 0)
            throw NoDevice();
        return [.. Enumerable.Range(0, count).Select(Describe)];
    }

    internal static CUdevice Get(int index)
    {
        CUdevice device = default;
        Check(Driver.DeviceManagement.cuDeviceGet(ref device, index), nameof(Driver.DeviceManagement.cuDeviceGet));
        return device;
    }

    private static void Start()
    {
        CUResult result;
        try
        {
            result = Driver.cuInit(CUInitializationFlags.None);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new CudaFailure(
                "No CUDA driver: its library (libcuda.so.1, nvcuda.dll) cannot be loaded. "
                + "Install NVIDIA's driver 520 or newer, or use the CPU.", e)
            { NoDevice = true };
        }

        if (result == CUResult.ErrorNoDevice)
            throw NoDevice();
        Check(result, nameof(Driver.cuInit));
    }

    private static CudaDeviceInfo Describe(int index)
    {
        CUdevice device = Get(index);
        byte[] name = new byte[256];
        SizeT memory = default;
        int major = 0, minor = 0;
        Check(Driver.DeviceManagement.cuDeviceGetName(name, name.Length, device), nameof(Driver.DeviceManagement.cuDeviceGetName));
        Check(Driver.DeviceManagement.cuDeviceTotalMem_v2(ref memory, device), nameof(Driver.DeviceManagement.cuDeviceTotalMem_v2));
        Check(Driver.DeviceManagement.cuDeviceGetAttribute(ref major, CUDeviceAttribute.ComputeCapabilityMajor, device),
            nameof(Driver.DeviceManagement.cuDeviceGetAttribute));
        Check(Driver.DeviceManagement.cuDeviceGetAttribute(ref minor, CUDeviceAttribute.ComputeCapabilityMinor, device),
            nameof(Driver.DeviceManagement.cuDeviceGetAttribute));
        return new CudaDeviceInfo(index, Encoding.ASCII.GetString(name).TrimEnd('\0'), new Version(major, minor), memory);
    }

    private static CudaFailure NoDevice() =>
        new("No CUDA device: the driver sees none. Look at nvidia-smi and at CUDA_VISIBLE_DEVICES, or use the CPU.") { NoDevice = true };

    private static void Check(CUResult result, string call)
    {
        if (result != CUResult.Success)
            throw new CudaFailure($"{call} failed with {CudaErrors.NameOf(result)}.");
    }
}

/// <summary>A device that the driver sees.</summary>
/// <param name="Index">Its number: cuda:Index.</param>
/// <param name="Name">What its maker calls it.</param>
/// <param name="ComputeCapability">Its generation, as 8.0.</param>
/// <param name="MemoryBytes">Its memory.</param>
public sealed record CudaDeviceInfo(int Index, string Name, Version ComputeCapability, long MemoryBytes)
{
    /// <summary>Whether its tensor cores compute in TF32 and bfloat16.</summary>
    public bool HasTf32AndBfloat16 => ComputeCapability.Major >= 8;

    /// <summary>Whether it is native/emulator on a processor, whose times say nothing.</summary>
    internal bool IsEmulated => Name.StartsWith("TinyMoE emulated", StringComparison.Ordinal);

    /// <summary>Refuses what its tensor cores do not have: cards before Ampere ignore TF32 and know no product in bfloat16.</summary>
    internal void Require(TensorCores mode)
    {
        if (mode != TensorCores.Off && !HasTf32AndBfloat16)
            throw new CudaFailure(
                $"{this} has no tensor cores for {mode.ToString().ToLowerInvariant()}: its compute capability is {ComputeCapability}, "
                + "they come with 8.0 (Ampere). Leave --tensor-cores off.");
    }

    /// <summary>As "cuda:0 (NVIDIA A100, 40 GiB)".</summary>
    public override string ToString() => FormattableString.Invariant($"cuda:{Index} ({Name}, {MemoryBytes / (double)(1L << 30):0.#} GiB)");
}
