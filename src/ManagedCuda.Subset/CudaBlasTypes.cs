namespace ManagedCuda.CudaBlas;

/// <summary>The result of a call of cuBLAS.</summary>
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

    /// <summary>An error inside the library.</summary>
    InternalError = 14,

    /// <summary>This version does not know it.</summary>
    NotSupported = 15,

    /// <summary>The licence is not valid.</summary>
    LicenseError = 16,
}

/// <summary>How a product reads an operand.</summary>
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
    /// <summary>Tensor cores compute no products of float32.</summary>
    DefaultMath = 0,

    /// <summary>Operands may be rounded to TF32.</summary>
    TF32TensorOpMath = 3,
}

/// <summary>The type that a product is added up in.</summary>
public enum ComputeType
{
    /// <summary>float.</summary>
    Compute32F = 68,
}

/// <summary>The algorithm of a product.</summary>
public enum GemmAlgo
{
    /// <summary>The library's own choice.</summary>
    Default = -1,
}

/// <summary>An open cuBLAS.</summary>
public struct CudaBlasHandle
{
    /// <summary>The library's handle.</summary>
    public IntPtr Pointer;
}
