using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>Device memory for the Pool. When the card has none left, the pool first gives back what it only keeps for later.</summary>
internal sealed class DeviceAllocator(CudaDevice device) : IDeviceAllocator
{
    /// <inheritdoc/>
    public nint Allocate(long bytes)
    {
        device.MakeCurrent();
        if (device.IsRecording)
            return AllocateWhileRecording(bytes);
        CUdeviceptr address = default;
        CUResult result = Driver.MemoryManagement.cuMemAlloc_v2(ref address, bytes);
        if (result == CUResult.ErrorOutOfMemory && device.Reclaim())
            result = Driver.MemoryManagement.cuMemAlloc_v2(ref address, bytes);
        if (result == CUResult.ErrorOutOfMemory)
            throw device.OutOfMemory($"{Size.Of(bytes)} were asked for");
        if (result != CUResult.Success)
            throw device.Failure(nameof(Driver.MemoryManagement.cuMemAlloc_v2), $" of {Size.Of(bytes)}", result);
        return (nint)(long)address.Pointer;
    }

    /// <inheritdoc/>
    public void Free(nint address)
    {
        device.MakeCurrent();
        _ = Driver.MemoryManagement.cuMemFree_v2(new CUdeviceptr(address)); // what a dead device answers is of no use
    }

    /// <summary>Nothing can be waited for then, so nothing can be given back for it either.</summary>
    private nint AllocateWhileRecording(long bytes)
    {
        CUdeviceptr address = default;
        CUstreamCaptureMode mode = device.Exchange(CUstreamCaptureMode.Relaxed);
        CUResult result = Driver.MemoryManagement.cuMemAlloc_v2(ref address, bytes);
        _ = device.Exchange(mode);
        return result == CUResult.Success ? (nint)(long)address.Pointer
            : throw new NotRecordableException($"no {Size.Of(bytes)} more of device memory ({CudaErrors.NameOf(result)})");
    }
}
