namespace ManagedCuda.BasicTypes;

// Numbers of the driver API, those that TinyMoE.Cuda names. A result of another number keeps it.

/// <summary>What a driver call says.</summary>
public enum CUResult
{
    /// <summary>CUDA_SUCCESS.</summary>
    Success = 0,

    /// <summary>CUDA_ERROR_INVALID_VALUE.</summary>
    ErrorInvalidValue = 1,

    /// <summary>CUDA_ERROR_OUT_OF_MEMORY.</summary>
    ErrorOutOfMemory = 2,

    /// <summary>CUDA_ERROR_NOT_INITIALIZED.</summary>
    ErrorNotInitialized = 3,

    /// <summary>CUDA_ERROR_DEINITIALIZED.</summary>
    ErrorDeinitialized = 4,

    /// <summary>CUDA_ERROR_NO_DEVICE.</summary>
    ErrorNoDevice = 100,

    /// <summary>CUDA_ERROR_INVALID_DEVICE.</summary>
    ErrorInvalidDevice = 101,

    /// <summary>CUDA_ERROR_INVALID_IMAGE.</summary>
    ErrorInvalidImage = 200,

    /// <summary>CUDA_ERROR_INVALID_CONTEXT.</summary>
    ErrorInvalidContext = 201,

    /// <summary>CUDA_ERROR_NO_BINARY_FOR_GPU.</summary>
    ErrorNoBinaryForGPU = 209,

    /// <summary>CUDA_ERROR_INVALID_PTX.</summary>
    ErrorInvalidPtx = 218,

    /// <summary>CUDA_ERROR_UNSUPPORTED_PTX_VERSION.</summary>
    ErrorUnsupportedPtxVersion = 222,

    /// <summary>CUDA_ERROR_NOT_FOUND.</summary>
    ErrorNotFound = 500,

    /// <summary>CUDA_ERROR_NOT_READY.</summary>
    ErrorNotReady = 600,

    /// <summary>CUDA_ERROR_ILLEGAL_ADDRESS.</summary>
    ErrorIllegalAddress = 700,

    /// <summary>CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES.</summary>
    ErrorLaunchOutOfResources = 701,

    /// <summary>CUDA_ERROR_LAUNCH_TIMEOUT.</summary>
    ErrorLaunchTimeout = 702,

    /// <summary>CUDA_ERROR_MISALIGNED_ADDRESS.</summary>
    ErrorMisalignedAddress = 716,

    /// <summary>CUDA_ERROR_LAUNCH_FAILED.</summary>
    ErrorLaunchFailed = 719,

    /// <summary>CUDA_ERROR_UNKNOWN.</summary>
    ErrorUnknown = 999,
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
    /// <summary>Waits for the default stream, and it for this one.</summary>
    None = 0,

    /// <summary>Does not.</summary>
    NonBlocking = 1,
}

/// <summary>Kinds of events.</summary>
[Flags]
public enum CUEventFlags
{
    /// <summary>Waited for by spinning.</summary>
    Default = 0,

    /// <summary>Waited for by sleeping.</summary>
    BlockingSync = 1,

    /// <summary>Takes no time stamp, which is faster.</summary>
    DisableTiming = 2,
}

/// <summary>Options of the driver's PTX compiler.</summary>
public enum CUJITOption
{
    /// <summary>Where its errors are to be written.</summary>
    ErrorLogBuffer = 5,

    /// <summary>How many bytes of them there is room for.</summary>
    ErrorLogBufferSizeBytes = 6,
}
