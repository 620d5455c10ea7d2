using TinyMoE.Backends.Widening;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>
/// An NVIDIA card: cuBLAS for products, our own kernels (native/kernels) for the rest, one partial file
/// per family. Calls return at once, the work is queued on one stream: its order is the order of the
/// calls, and so is the memory's. The host waits only where it reads. One thread at a time may call it.
/// </summary>
public sealed unsafe partial class CudaBackend : WideningBackend
{
    /// <summary>Bytes of the largest access; the fastest kernels, ours and cuBLAS's, want all rows to begin at a multiple of it.</summary>
    internal const int Alignment = 16;

    private readonly CudaDevice device;
    private readonly KernelModules kernels;
    private readonly Cublas blas;
    private readonly Staging staging;
    private readonly PublishedOffsets publishedOffsets;
    private readonly CudaClock clock;
    private CudaOptions options;

    /// <summary>A backend on device number <paramref name="device"/>.</summary>
    /// <exception cref="TinyMoEException">No driver, no such device, too old, or no cuBLAS: one line that says what to do.</exception>
    public CudaBackend(int device = 0, CudaOptions? options = null)
        : this(device, options, granularity: 256)
    {
    }

    /// <summary>A backend whose buffers are rounded up to <paramref name="granularity"/> bytes:
    /// with 4, a device that checks accesses finds what goes past a tensor's end.</summary>
    internal CudaBackend(int device, CudaOptions? options, int granularity)
    {
        this.options = options ?? new CudaOptions();
        this.device = new CudaDevice(device);
        try
        {
            this.device.Info.Require(this.options.TensorCores);
            clock = new CudaClock(this.device);
            kernels = new KernelModules(this.device);
            blas = new Cublas(this.device, this.options.TensorCores);
            staging = new Staging(this.device);
            publishedOffsets = new PublishedOffsets(this.device);
            Pool = this.device.Pool = new MemoryPool(new DeviceAllocator(this.device), granularity);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public override string Name => device.Info.ToString();

    /// <inheritdoc/>
    public override MemoryPool Pool { get; }

    /// <summary>The version of cuBLAS.</summary>
    public Version BlasVersion => blas.Version;

    /// <summary>The file that cuBLAS was loaded from; null where the system does not tell.</summary>
    public static string? BlasPath => LoadedLibraries.Cublas;

    /// <summary>The modules of kernels, as they were compiled or found in the driver's cache when this backend was opened.</summary>
    internal IReadOnlyList<LoadedModule> Modules => kernels.Modules;

    /// <summary>Every kernel as the driver compiled it.</summary>
    internal IReadOnlyList<KernelReport> ReportKernels()
    {
        device.MakeCurrent();
        return [.. from module in kernels.Modules from kernel in module.Kernels select KernelReport.Of(module.File, kernel, device)];
    }

    /// <summary>Whether cuBLAS multiplies bfloat16 on this card.</summary>
    private bool HasBfloat16Products => device.Info.ComputeCapability.Major >= 8;

    /// <summary>How often the host waited for the device.</summary>
    internal long Synchronizations => device.Synchronizations;

    /// <summary>From now on computes as these options say.</summary>
    internal void Use(CudaOptions other)
    {
        device.Info.Require(other.TensorCores);
        blas.Use(other.TensorCores);
        (options, productsAskForOffsets) = (other, false);
    }

    /// <summary>Compiles all modules once more, past the driver's cache of what it compiled before; returns how long that took.</summary>
    internal TimeSpan CompileAnew()
    {
        device.MakeCurrent();
        return KernelModules.CompileAnew(device);
    }

    /// <inheritdoc/>
    public override void Dispose()
    {
        // Any of them may be missing: the constructor comes here when it fails.
        device.Drain();
        clock?.Dispose();
        publishedOffsets?.Dispose();
        staging?.Dispose();
        Pool?.Dispose();
        blas?.Dispose();
        kernels?.Dispose();
        device.Dispose();
    }
}
