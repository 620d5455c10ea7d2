namespace ManagedCuda.CudaBlas;

/// <summary>What a call of cuBLAS says.</summary>
public enum CublasStatus
{
    /// <summary>It went well.</summary>
    Success = 0,

    /// <summary>The library was not opened.</summary>
    NotInitialized = 1,

    /// <summary>No memory left.</summary>
    AllocFailed = 3,

    /// <summary>A size or an argument that cannot be.</summary>
    InvalidValue = 7,

    /// <summary>The device cannot do it.</summary>
    ArchMismatch = 8,

    /// <summary>Memory could not be reached.</summary>
    MappingError = 11,

    /// <summary>The kernel failed.</summary>
    ExecutionFailed = 13,

    /// <summary>Anything else.</summary>
    InternalError = 14,

    /// <summary>This version does not know it.</summary>
    NotSupported = 15,

    /// <summary>The licence.</summary>
    LicenseError = 16,
}

/// <summary>What is done to an operand.</summary>
public enum Operation
{
    /// <summary>It is taken as it lies.</summary>
    NonTranspose = 0,

    /// <summary>It is transposed.</summary>
    Transpose = 1,
}

/// <summary>What tensor cores may do to float32 operands.</summary>
public enum Math
{
    /// <summary>Nothing.</summary>
    DefaultMath = 0,

    /// <summary>Round them to TF32.</summary>
    TF32TensorOpMath = 3,
}

/// <summary>What a product adds up in.</summary>
public enum ComputeType
{
    /// <summary>float.</summary>
    Compute32F = 68,
}

/// <summary>Which algorithm: the library's own choice.</summary>
public enum GemmAlgo
{
    /// <summary>Its choice.</summary>
    Default = -1,
}

/// <summary>An open cuBLAS.</summary>
public struct CudaBlasHandle
{
    /// <summary>The library's handle.</summary>
    public IntPtr Pointer;
}
