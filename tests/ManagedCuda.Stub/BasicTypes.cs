namespace ManagedCuda.BasicTypes;

public enum CUResult
{
    Success = 0,
    ErrorInvalidValue = 1,
    ErrorOutOfMemory = 2,
    ErrorNotInitialized = 3,
    ErrorNoDevice = 100,
    UnsupportedPTXVersion = 222,
    ErrorNotReady = 600,
}

[Flags]
public enum CUInitializationFlags : uint
{
    None = 0,
}

public enum CUDeviceAttribute
{
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
}

[Flags]
public enum CUStreamFlags : uint
{
    None = 0,
    Default = 0,
    NonBlocking = 1,
}

public enum CUstreamCaptureMode
{
    Global = 0,
    Local = 1,
    Relaxed = 2,
}

[Flags]
public enum CUgraphInstantiate_flags : ulong
{
    None = 0,
    AutoFreeOnLaunch = 1,
}

[Flags]
public enum CUEventFlags
{
    Default = 0,
    BlockingSync = 1,
    DisableTiming = 2,
    InterProcess = 4,
}

public enum CUJITOption
{
    MaxRegisters = 0,
    ThreadsPerBlock = 1,
    WallTime = 2,
    InfoLogBuffer = 3,
    InfoLogBufferSizeBytes = 4,
    ErrorLogBuffer = 5,
    ErrorLogBufferSizeBytes = 6,
}

public enum CUFunctionAttribute
{
    MaxThreadsPerBlock = 0,
    SharedSizeBytes = 1,
    ConstSizeBytes = 2,
    LocalSizeBytes = 3,
    NumRegs = 4,
    PTXVersion = 5,
    BinaryVersion = 6,
    CacheModeCA = 7,
    MaxDynamicSharedSizeBytes = 8,
    PreferredSharedMemoryCarveout = 9,
}

public enum cudaDataType
{
    CUDA_R_32F = 0,
    CUDA_R_64F = 1,
    CUDA_R_16F = 2,
    CUDA_R_16BF = 14,
}

public struct CUdevice
{
    public int Pointer;
}

public struct CUcontext
{
    public IntPtr Pointer;
}

public struct CUmodule
{
    public IntPtr Pointer;
}

public struct CUfunction
{
    public IntPtr Pointer;
}

public struct CUstream
{
    public IntPtr Pointer;
}

public struct CUevent
{
    public IntPtr Pointer;
}

public struct CUgraph
{
    public IntPtr Pointer;
}

public struct CUgraphExec
{
    public IntPtr Pointer;
}

public struct CUdeviceptr
{
    public SizeT Pointer;

    public CUdeviceptr(SizeT pointer) => Pointer = pointer;
}

/// <summary>It converts from and to every whole number, which may make a call ambiguous that one conversion would not.</summary>
public struct SizeT
{
    private readonly UIntPtr value;

    public SizeT(int value) => this.value = (UIntPtr)value;

    public SizeT(uint value) => this.value = value;

    public SizeT(long value) => this.value = (UIntPtr)value;

    public SizeT(ulong value) => this.value = (UIntPtr)value;

    public SizeT(UIntPtr value) => this.value = value;

    public SizeT(IntPtr value) => this.value = (UIntPtr)value;

    public static implicit operator int(SizeT t) => (int)t.value;

    public static implicit operator uint(SizeT t) => (uint)t.value;

    public static implicit operator long(SizeT t) => (long)t.value;

    public static implicit operator ulong(SizeT t) => t.value;

    public static implicit operator UIntPtr(SizeT t) => t.value;

    public static implicit operator IntPtr(SizeT t) => (IntPtr)t.value;

    public static implicit operator SizeT(int value) => new(value);

    public static implicit operator SizeT(uint value) => new(value);

    public static implicit operator SizeT(long value) => new(value);

    public static implicit operator SizeT(ulong value) => new(value);

    public static implicit operator SizeT(IntPtr value) => new(value);

    public static implicit operator SizeT(UIntPtr value) => new(value);
}
