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
    private readonly CudaOptions options;
    private readonly CudaDevice device;
    private readonly KernelModules kernels;
    private readonly Cublas blas;
    private readonly Staging staging;
    private readonly PublishedOffsets publishedOffsets;

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
            kernels = new KernelModules(this.device);
            blas = new Cublas(this.device, this.options.TensorCores);
            staging = new Staging(this.device);
            publishedOffsets = new PublishedOffsets(this.device);
            HasBfloat16Products = this.device.Info.ComputeCapability.Major >= 8;
            DeviceAllocator allocator = new(this.device);
            Pool = allocator.Pool = new MemoryPool(allocator, granularity);
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

    /// <summary>Whether cuBLAS multiplies bfloat16 on this card; tests say so of an emulated one of any compute capability.</summary>
    internal bool HasBfloat16Products { get; init; }

    /// <summary>How often the host waited for the device.</summary>
    internal long Synchronizations => device.Synchronizations;

    /// <inheritdoc/>
    public override void Dispose()
    {
        // Any of them may be missing: the constructor comes here when it fails.
        device.Drain();
        publishedOffsets?.Dispose();
        staging?.Dispose();
        Pool?.Dispose();
        blas?.Dispose();
        kernels?.Dispose();
        device.Dispose();
    }
}
