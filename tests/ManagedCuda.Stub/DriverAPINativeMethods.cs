using ManagedCuda.BasicTypes;

namespace ManagedCuda;

public static class DriverAPINativeMethods
{
    public static CUResult cuInit(CUInitializationFlags Flags) => throw new NotSupportedException();

    public static CUResult cuDriverGetVersion(ref int driverVersion) => throw new NotSupportedException();

    public static class ErrorHandling
    {
        public static CUResult cuGetErrorString(CUResult error, ref IntPtr pStr) => throw new NotSupportedException();

        public static CUResult cuGetErrorName(CUResult error, ref IntPtr pStr) => throw new NotSupportedException();
    }

    public static class DeviceManagement
    {
        public static CUResult cuDeviceGet(ref CUdevice device, int ordinal) => throw new NotSupportedException();

        public static CUResult cuDeviceGetCount(ref int count) => throw new NotSupportedException();

        public static CUResult cuDeviceGetName(byte[] name, int len, CUdevice dev) => throw new NotSupportedException();

        public static CUResult cuDeviceTotalMem_v2(ref SizeT bytes, CUdevice dev) => throw new NotSupportedException();

        public static CUResult cuDeviceGetAttribute(ref int pi, CUDeviceAttribute attrib, CUdevice dev) =>
            throw new NotSupportedException();
    }

    public static class ContextManagement
    {
        public static CUResult cuDevicePrimaryCtxRetain(ref CUcontext pctx, CUdevice dev) => throw new NotSupportedException();

        public static CUResult cuDevicePrimaryCtxRelease(CUdevice dev) => throw new NotSupportedException();

        public static CUResult cuCtxSetCurrent(CUcontext ctx) => throw new NotSupportedException();
    }

    public static class ModuleManagement
    {
        public static CUResult cuModuleLoadDataEx(
            ref CUmodule module, byte[] image, uint numOptions, CUJITOption[] options, IntPtr[] optionValues) =>
            throw new NotSupportedException();

        public static CUResult cuModuleLoadDataEx(
            ref CUmodule module, IntPtr image, uint numOptions, CUJITOption[] options, IntPtr[] optionValues) =>
            throw new NotSupportedException();

        public static CUResult cuModuleUnload(CUmodule hmod) => throw new NotSupportedException();

        public static CUResult cuModuleGetFunction(ref CUfunction hfunc, CUmodule hmod, string name) => throw new NotSupportedException();
    }

    public static class FunctionManagement
    {
        public static CUResult cuFuncGetAttribute(ref int pi, CUFunctionAttribute attrib, CUfunction hfunc) =>
            throw new NotSupportedException();

        public static CUResult cuFuncSetAttribute(CUfunction hfunc, CUFunctionAttribute attrib, int value) =>
            throw new NotSupportedException();
    }

    public static class MemoryManagement
    {
        public static CUResult cuMemGetInfo_v2(ref SizeT free, ref SizeT total) => throw new NotSupportedException();

        public static CUResult cuMemAlloc_v2(ref CUdeviceptr dptr, SizeT bytesize) => throw new NotSupportedException();

        public static CUResult cuMemFree_v2(CUdeviceptr dptr) => throw new NotSupportedException();

        public static CUResult cuMemAllocHost_v2(ref IntPtr pp, SizeT bytesize) => throw new NotSupportedException();

        public static CUResult cuMemFreeHost(IntPtr p) => throw new NotSupportedException();
    }

    public static class SynchronousMemcpy_v2
    {
        public static CUResult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, byte[] srcHost, SizeT ByteCount) => throw new NotSupportedException();

        public static CUResult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, float[] srcHost, SizeT ByteCount) =>
            throw new NotSupportedException();

        public static CUResult cuMemcpyHtoD_v2(CUdeviceptr dstDevice, IntPtr srcHost, SizeT ByteCount) => throw new NotSupportedException();
    }

    public static class AsynchronousMemcpy_v2
    {
        public static CUResult cuMemcpyHtoDAsync_v2(CUdeviceptr dstDevice, IntPtr srcHost, SizeT ByteCount, CUstream hStream) =>
            throw new NotSupportedException();

        public static CUResult cuMemcpyDtoHAsync_v2(IntPtr dstHost, CUdeviceptr srcDevice, SizeT ByteCount, CUstream hStream) =>
            throw new NotSupportedException();
    }

    public static class MemsetAsync
    {
        public static CUResult cuMemsetD32Async(CUdeviceptr dstDevice, uint b, SizeT N, CUstream hStream) =>
            throw new NotSupportedException();
    }

    public static class Launch
    {
        public static CUResult cuLaunchKernel(
            CUfunction f,
            uint gridDimX, uint gridDimY, uint gridDimZ, uint blockDimX, uint blockDimY, uint blockDimZ,
            uint sharedMemBytes, CUstream hStream, IntPtr[] kernelParams, IntPtr[] extra) => throw new NotSupportedException();
    }

    public static class Events
    {
        public static CUResult cuEventCreate(ref CUevent phEvent, CUEventFlags Flags) => throw new NotSupportedException();

        public static CUResult cuEventRecord(CUevent hEvent, CUstream hStream) => throw new NotSupportedException();

        public static CUResult cuEventQuery(CUevent hEvent) => throw new NotSupportedException();

        public static CUResult cuEventSynchronize(CUevent hEvent) => throw new NotSupportedException();

        public static CUResult cuEventDestroy_v2(CUevent hEvent) => throw new NotSupportedException();

        public static CUResult cuEventElapsedTime(ref float pMilliseconds, CUevent hStart, CUevent hEnd) =>
            throw new NotSupportedException();
    }

    public static class Streams
    {
        public static CUResult cuStreamCreate(ref CUstream phStream, CUStreamFlags Flags) => throw new NotSupportedException();

        public static CUResult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, uint Flags) => throw new NotSupportedException();

        public static CUResult cuStreamBeginCapture(CUstream hStream, CUstreamCaptureMode mode) => throw new NotSupportedException();

        public static CUResult cuStreamEndCapture(CUstream hStream, ref CUgraph phGraph) => throw new NotSupportedException();

        public static CUResult cuThreadExchangeStreamCaptureMode(ref CUstreamCaptureMode mode) => throw new NotSupportedException();

        public static CUResult cuStreamSynchronize(CUstream hStream) => throw new NotSupportedException();

        public static CUResult cuStreamDestroy_v2(CUstream hStream) => throw new NotSupportedException();
    }

    public static class GraphManagment
    {
        public static CUResult cuGraphInstantiate(ref CUgraphExec phGraphExec, CUgraph hGraph, CUgraphInstantiate_flags flags) =>
            throw new NotSupportedException();

        public static CUResult cuGraphLaunch(CUgraphExec hGraphExec, CUstream hStream) => throw new NotSupportedException();

        public static CUResult cuGraphExecDestroy(CUgraphExec hGraphExec) => throw new NotSupportedException();

        public static CUResult cuGraphDestroy(CUgraph hGraph) => throw new NotSupportedException();
    }
}
