using System.Runtime.InteropServices;
using ManagedCuda.BasicTypes;

namespace ManagedCuda;

/// <summary>The CUDA driver's entry points, named as in C, grouped as in ManagedCuda.</summary>
public static class DriverAPINativeMethods
{
    internal const string Library = "nvcuda";

    static DriverAPINativeMethods() => NativeLibraries.Resolve();

    /// <summary>Starts the driver.</summary>
    [DllImport(Library)]
    public static extern CUResult cuInit(CUInitializationFlags Flags);

    /// <summary>The newest CUDA version that the driver knows, 1000·major + 10·minor.</summary>
    [DllImport(Library)]
    public static extern CUResult cuDriverGetVersion(ref int driverVersion);

    /// <summary>The driver's own words for its results. They stay in its memory.</summary>
    public static class ErrorHandling
    {
        static ErrorHandling() => NativeLibraries.Resolve();

        /// <summary>The name of a result, as C has it; none of a number that the driver does not know.</summary>
        [DllImport(Library)]
        public static extern CUResult cuGetErrorName(CUResult error, ref IntPtr pStr);

        /// <summary>What it means, in a few words.</summary>
        [DllImport(Library)]
        public static extern CUResult cuGetErrorString(CUResult error, ref IntPtr pStr);
    }

    /// <summary>Devices.</summary>
    public static class DeviceManagement
    {
        static DeviceManagement() => NativeLibraries.Resolve();

        /// <summary>A device by its number.</summary>
        [DllImport(Library)]
        public static extern CUResult cuDeviceGet(ref CUdevice device, int ordinal);

        /// <summary>Number of devices.</summary>
        [DllImport(Library)]
        public static extern CUResult cuDeviceGetCount(ref int count);

        /// <summary>The device's name, ASCII with a NUL behind it.</summary>
        [DllImport(Library)]
        public static extern CUResult cuDeviceGetName([Out] byte[] name, int len, CUdevice dev);

        /// <summary>The device's memory in bytes.</summary>
        [DllImport(Library)]
        public static extern CUResult cuDeviceTotalMem_v2(ref SizeT bytes, CUdevice dev);

        /// <summary>One property of the device.</summary>
        [DllImport(Library)]
        public static extern CUResult cuDeviceGetAttribute(ref int pi, CUDeviceAttribute attrib, CUdevice dev);
    }

    /// <summary>Contexts.</summary>
    public static class ContextManagement
    {
        static ContextManagement() => NativeLibraries.Resolve();

        /// <summary>The device's primary context, kept alive until it is released as often.</summary>
        [DllImport(Library)]
        public static extern CUResult cuDevicePrimaryCtxRetain(ref CUcontext pctx, CUdevice dev);

        /// <summary>Lets go of the primary context.</summary>
        [DllImport(Library, EntryPoint = "cuDevicePrimaryCtxRelease_v2")]
        public static extern CUResult cuDevicePrimaryCtxRelease(CUdevice dev);

        /// <summary>Binds a context to the calling thread.</summary>
        [DllImport(Library)]
        public static extern CUResult cuCtxSetCurrent(CUcontext ctx);
    }

    /// <summary>Modules.</summary>
    public static class ModuleManagement
    {
        static ModuleManagement() => NativeLibraries.Resolve();

        /// <summary>Compiles and loads PTX, which ends with a NUL.</summary>
        [DllImport(Library)]
        public static extern CUResult cuModuleLoadDataEx(
            ref CUmodule module, [In] byte[] image, uint numOptions, [In] CUJITOption[]? options, [In, Out] IntPtr[]? optionValues);

        /// <summary>Unloads a module.</summary>
        [DllImport(Library)]
        public static extern CUResult cuModuleUnload(CUmodule hmod);

        /// <summary>A kernel by its name.</summary>
        [DllImport(Library, CharSet = CharSet.Ansi)]
        public static extern CUResult cuModuleGetFunction(ref CUfunction hfunc, CUmodule hmod, string name);
    }

    /// <summary>Kernels.</summary>
    public static class FunctionManagement
    {
        static FunctionManagement() => NativeLibraries.Resolve();

        /// <summary>Sets one property of a kernel.</summary>
        [DllImport(Library)]
        public static extern CUResult cuFuncSetAttribute(CUfunction hfunc, CUFunctionAttribute attrib, int value);

        /// <summary>One property of a kernel, as the device's compiler made it.</summary>
        [DllImport(Library)]
        public static extern CUResult cuFuncGetAttribute(ref int pi, CUFunctionAttribute attrib, CUfunction hfunc);
    }

    /// <summary>Device memory and pinned host memory.</summary>
    public static class MemoryManagement
    {
        static MemoryManagement() => NativeLibraries.Resolve();

        /// <summary>Bytes free on the device, and bytes there are.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemGetInfo_v2(ref SizeT free, ref SizeT total);

        /// <summary>Allocates device memory.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemAlloc_v2(ref CUdeviceptr dptr, SizeT bytesize);

        /// <summary>Frees it.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemFree_v2(CUdeviceptr dptr);

        /// <summary>Allocates pinned host memory.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemAllocHost_v2(ref IntPtr pp, SizeT bytesize);

        /// <summary>Frees it.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemFreeHost(IntPtr p);
    }

    /// <summary>Copies that the host waits for.</summary>
    public static class SynchronousMemcpy_v2
    {
        static SynchronousMemcpy_v2() => NativeLibraries.Resolve();

        /// <summary>Host to device.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, IntPtr srcHost, SizeT ByteCount);
    }

    /// <summary>Copies that are queued on a stream.</summary>
    public static class AsynchronousMemcpy_v2
    {
        static AsynchronousMemcpy_v2() => NativeLibraries.Resolve();

        /// <summary>Host to device.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, IntPtr srcHost, SizeT ByteCount, CUstream hStream);

        /// <summary>Device to host.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemcpyDtoHAsync_v2(IntPtr dstHost, CUdeviceptr srcDevice, SizeT ByteCount, CUstream hStream);
    }

    /// <summary>Fills that are queued on a stream.</summary>
    public static class MemsetAsync
    {
        static MemsetAsync() => NativeLibraries.Resolve();

        /// <summary>N times the 32 bits of <paramref name="b"/>.</summary>
        [DllImport(Library)]
        public static extern CUResult cuMemsetD32Async(CUdeviceptr dstDevice, uint b, SizeT N, CUstream hStream);
    }

    /// <summary>Kernel launches.</summary>
    public static class Launch
    {
        static Launch() => NativeLibraries.Resolve();

        /// <summary>Queues a kernel; <paramref name="kernelParams"/> point to its arguments, which are copied at once.</summary>
        [DllImport(Library)]
        public static extern CUResult cuLaunchKernel(
            CUfunction f,
            uint gridDimX, uint gridDimY, uint gridDimZ, uint blockDimX, uint blockDimY, uint blockDimZ,
            uint sharedMemBytes, CUstream hStream, IntPtr[]? kernelParams, IntPtr[]? extra);
    }

    /// <summary>Events.</summary>
    public static class Events
    {
        static Events() => NativeLibraries.Resolve();

        /// <summary>Creates one.</summary>
        [DllImport(Library)]
        public static extern CUResult cuEventCreate(ref CUevent phEvent, CUEventFlags Flags);

        /// <summary>It happens when all that the stream has been given so far is done.</summary>
        [DllImport(Library)]
        public static extern CUResult cuEventRecord(CUevent hEvent, CUstream hStream);

        /// <summary>Whether it happened: ErrorNotReady when not.</summary>
        [DllImport(Library)]
        public static extern CUResult cuEventQuery(CUevent hEvent);

        /// <summary>The host waits for it.</summary>
        [DllImport(Library)]
        public static extern CUResult cuEventSynchronize(CUevent hEvent);

        /// <summary>Milliseconds of the device from one event to another, both made with a time stamp and both happened.</summary>
        [DllImport(Library)]
        public static extern CUResult cuEventElapsedTime(ref float pMilliseconds, CUevent hStart, CUevent hEnd);

        /// <summary>Destroys it.</summary>
        [DllImport(Library)]
        public static extern CUResult cuEventDestroy_v2(CUevent hEvent);
    }

    /// <summary>Streams.</summary>
    public static class Streams
    {
        static Streams() => NativeLibraries.Resolve();

        /// <summary>Creates one.</summary>
        [DllImport(Library)]
        public static extern CUResult cuStreamCreate(ref CUstream phStream, CUStreamFlags Flags);

        /// <summary>What follows on the stream waits for the event.</summary>
        [DllImport(Library)]
        public static extern CUResult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, uint Flags);

        /// <summary>From now on the stream keeps what it is given, for a graph, and does none of it.</summary>
        [DllImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
        public static extern CUResult cuStreamBeginCapture(CUstream hStream, CUstreamCaptureMode mode);

        /// <summary>The graph of what the stream kept.</summary>
        [DllImport(Library)]
        public static extern CUResult cuStreamEndCapture(CUstream hStream, ref CUgraph phGraph);

        /// <summary>Gives this thread another mode, and the one that it had.</summary>
        [DllImport(Library)]
        public static extern CUResult cuThreadExchangeStreamCaptureMode(ref CUstreamCaptureMode mode);

        /// <summary>The host waits for all that the stream has been given.</summary>
        [DllImport(Library)]
        public static extern CUResult cuStreamSynchronize(CUstream hStream);

        /// <summary>Destroys it.</summary>
        [DllImport(Library)]
        public static extern CUResult cuStreamDestroy_v2(CUstream hStream);
    }

    /// <summary>Graphs (the name is ManagedCuda's).</summary>
    public static class GraphManagment
    {
        static GraphManagment() => NativeLibraries.Resolve();

        /// <summary>Makes a graph ready to be launched.</summary>
        [DllImport(Library, EntryPoint = "cuGraphInstantiateWithFlags")]
        public static extern CUResult cuGraphInstantiate(ref CUgraphExec phGraphExec, CUgraph hGraph, CUgraphInstantiate_flags flags);

        /// <summary>Queues all that the graph has.</summary>
        [DllImport(Library)]
        public static extern CUResult cuGraphLaunch(CUgraphExec hGraphExec, CUstream hStream);

        /// <summary>Destroys what <see cref="cuGraphInstantiate"/> made.</summary>
        [DllImport(Library)]
        public static extern CUResult cuGraphExecDestroy(CUgraphExec hGraphExec);

        /// <summary>Destroys the graph; what was made of it stays.</summary>
        [DllImport(Library)]
        public static extern CUResult cuGraphDestroy(CUgraph hGraph);
    }
}
