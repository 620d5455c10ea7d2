using System.Text;
using ManagedCuda.BasicTypes;
using Driver = ManagedCuda.DriverAPINativeMethods;

namespace TinyMoE.Tests.Cuda.Planted;

/// <summary>The emulated device by itself, without a backend: runs a planted kernel (x, y, n) on 64 threads per block.</summary>
internal sealed unsafe class PlantedDevice : IDisposable
{
    private const int Threads = 64;

    private readonly CUdevice device;
    private readonly CUmodule module;
    private readonly List<CUdeviceptr> memory = [];
    private CUstream stream;

    public PlantedDevice(string settings)
    {
        Emulator.Configure(settings);
        Require(Driver.cuInit(0));
        Require(Driver.DeviceManagement.cuDeviceGet(ref device, 0));
        CUcontext context = default;
        Require(Driver.ContextManagement.cuDevicePrimaryCtxRetain(ref context, device));
        Require(Driver.ContextManagement.cuCtxSetCurrent(context));
        string folder = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "TinyMoE.Tests", "Cuda", "Planted");
        string ptx = File.ReadAllText(Path.Combine(folder, "planted.ptx"));
        Require(Driver.ModuleManagement.cuModuleLoadDataEx(ref module, Encoding.ASCII.GetBytes(ptx + '\0'), 0, null, null));
        Require(Driver.Streams.cuStreamCreate(ref stream, CUStreamFlags.NonBlocking));
    }

    /// <summary>Memory for n floats, with 1, 2, 3, ... in it.</summary>
    public CUdeviceptr Floats(int n)
    {
        CUdeviceptr address = default;
        Require(Driver.MemoryManagement.cuMemAlloc_v2(ref address, n * sizeof(float)));
        memory.Add(address);
        float[] values = [.. Enumerable.Range(1, n).Select(i => (float)i)];
        fixed (float* source = values)
            Require(Driver.SynchronousMemcpy_v2.cuMemcpyHtoD_v2(address, (nint)source, n * sizeof(float)));
        return address;
    }

    public void Free(CUdeviceptr address)
    {
        memory.Remove(address);
        Require(Driver.MemoryManagement.cuMemFree_v2(address));
    }

    /// <summary>Launches, waits, and tells what the driver answered.</summary>
    public CUResult Run(string kernel, CUdeviceptr x, CUdeviceptr y, int n, int blocks = 1)
    {
        Launch(kernel, x, y, n, blocks);
        return Driver.Streams.cuStreamSynchronize(stream);
    }

    /// <summary>Launches without waiting.</summary>
    public void Launch(string kernel, CUdeviceptr x, CUdeviceptr y, int n, int blocks = 1)
    {
        CUfunction function = default;
        Require(Driver.ModuleManagement.cuModuleGetFunction(ref function, module, kernel));
        IntPtr[] arguments = [(nint)(&x), (nint)(&y), (nint)(&n)];
        _ = Driver.Launch.cuLaunchKernel(function, (uint)blocks, 1, 1, Threads, 1, 1, 0, stream, arguments, null);
    }

    /// <summary>Reads n floats as a host that waits would, or, without waiting, as one that forgot to.</summary>
    public float[] Read(CUdeviceptr address, int n, bool waits)
    {
        IntPtr pinned = default;
        Require(Driver.MemoryManagement.cuMemAllocHost_v2(ref pinned, n * sizeof(float)));
        new Span<float>((void*)pinned, n).Fill(-1f);
        Require(Driver.AsynchronousMemcpy_v2.cuMemcpyDtoHAsync_v2(pinned, address, n * sizeof(float), stream));
        if (waits)
            Require(Driver.Streams.cuStreamSynchronize(stream));
        float[] values = new Span<float>((void*)pinned, n).ToArray();
        Require(Driver.Streams.cuStreamSynchronize(stream));
        Require(Driver.MemoryManagement.cuMemFreeHost(pinned));
        return values;
    }

    public void Dispose()
    {
        Emulator.Configure(""); // what a finding broke is whole again
        foreach (CUdeviceptr address in memory)
            Require(Driver.MemoryManagement.cuMemFree_v2(address));
        Require(Driver.Streams.cuStreamDestroy_v2(stream));
        Require(Driver.ModuleManagement.cuModuleUnload(module));
        Require(Driver.ContextManagement.cuDevicePrimaryCtxRelease(device));
    }

    private static void Require(CUResult result) => Assert.Equal(CUResult.Success, result);
}
