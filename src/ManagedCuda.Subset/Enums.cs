namespace ManagedCuda.BasicTypes;

// Numbers of the driver API, those that TinyMoE.Cuda names. A result of another number keeps it.

/// <summary>The result of a call of the driver.</summary>
public enum CUResult
{
    /// <summary>It went well.</summary>
    Success = 0,

    /// <summary>No memory left, of the device or of the host.</summary>
    ErrorOutOfMemory = 2,

    /// <summary>No device that can run CUDA.</summary>
    ErrorNoDevice = 100,

    /// <summary>The PTX is of a version that the driver does not know.</summary>
    UnsupportedPTXVersion = 222,

    /// <summary>What was asked for is still under way.</summary>
    ErrorNotReady = 600,
}

/// <summary>Flags of cuInit: none.</summary>
[Flags]
public enum CUInitializationFlags : uint
{
    /// <summary>None.</summary>
    None = 0,
}

/// <summary>Questions to a device.</summary>
public enum CUDeviceAttribute
{
    /// <summary>The number before the point of its compute capability.</summary>
    ComputeCapabilityMajor = 75,

    /// <summary>The number behind the point.</summary>
    ComputeCapabilityMinor = 76,
}

/// <summary>Kinds of streams.</summary>
[Flags]
public enum CUStreamFlags : uint
{
    /// <summary>In step with the default stream.</summary>
    None = 0,

    /// <summary>The stream does not wait for the default stream.</summary>
    NonBlocking = 1,
}

/// <summary>What a thread may do while it captures.</summary>
public enum CUstreamCaptureMode
{
    /// <summary>Nothing that a capture of any thread does not see.</summary>
    Global = 0,

    /// <summary>Nothing that its own capture does not see.</summary>
    Local = 1,

    /// <summary>All but what contradicts a capture.</summary>
    Relaxed = 2,
}

/// <summary>How a graph is made ready.</summary>
[Flags]
public enum CUgraphInstantiate_flags : ulong
{
    /// <summary>As it is.</summary>
    None = 0,
}

/// <summary>Kinds of events.</summary>
[Flags]
public enum CUEventFlags
{
    /// <summary>Waited for by spinning.</summary>
    Default = 0,

    /// <summary>Takes no time stamp, which is faster.</summary>
    DisableTiming = 2,
}

/// <summary>Options of the driver's PTX compiler.</summary>
public enum CUJITOption
{
    /// <summary>Where it writes what it has to say of errors.</summary>
    ErrorLogBuffer = 5,

    /// <summary>The bytes there; it puts back how many it wrote.</summary>
    ErrorLogBufferSizeBytes = 6,
}

/// <summary>Questions to a kernel.</summary>
public enum CUFunctionAttribute
{
    /// <summary>The most threads per block that a launch may have.</summary>
    MaxThreadsPerBlock = 0,

    /// <summary>Bytes of shared memory per block that its source declares.</summary>
    SharedSizeBytes = 1,

    /// <summary>Bytes of local memory per thread: arrays, and registers that did not fit.</summary>
    LocalSizeBytes = 3,

    /// <summary>Registers per thread.</summary>
    NumRegs = 4,

    /// <summary>The most dynamic shared memory that a launch may ask for, in bytes.</summary>
    MaxDynamicSharedSizeBytes = 8,
}

/// <summary>Types of matrix elements.</summary>
public enum cudaDataType
{
    /// <summary>float.</summary>
    CUDA_R_32F = 0,

    /// <summary>bfloat16.</summary>
    CUDA_R_16BF = 14,
}
