using ManagedCuda.BasicTypes;

namespace ManagedCuda.CudaBlas;

public enum CublasStatus
{
    Success = 0,
    NotInitialized = 1,
    AllocFailed = 3,
    InvalidValue = 7,
    ArchMismatch = 8,
    MappingError = 11,
    ExecutionFailed = 13,
    InternalError = 14,
    NotSupported = 15,
    LicenseError = 16,
}

public enum Operation
{
    NonTranspose = 0,
    Transpose = 1,
    ConjugateTranspose = 2,
}

public enum Math
{
    DefaultMath = 0,
    PedanticMath = 2,
    TF32TensorOpMath = 3,
    DisallowReducedPrecisionReduction = 16,
}

public enum ComputeType
{
    Compute32F = 68,
    Compute32FPedantic = 69,
}

public enum GemmAlgo
{
    Default = -1,
}

public struct CudaBlasHandle
{
    public IntPtr Pointer;
}

/// <summary>Scalars lie on the host where a parameter is a reference, on the device where it is a CUdeviceptr.</summary>
public static class CudaBlasNativeMethods
{
    public static CublasStatus cublasCreate_v2(ref CudaBlasHandle handle) => throw new NotSupportedException();

    public static CublasStatus cublasDestroy_v2(CudaBlasHandle handle) => throw new NotSupportedException();

    public static CublasStatus cublasGetVersion_v2(CudaBlasHandle handle, ref int version) => throw new NotSupportedException();

    public static CublasStatus cublasSetWorkspace_v2(CudaBlasHandle handle, CUdeviceptr workspace, SizeT workspaceSizeInBytes) =>
        throw new NotSupportedException();

    public static CublasStatus cublasSetStream_v2(CudaBlasHandle handle, CUstream streamId) => throw new NotSupportedException();

    public static CublasStatus cublasSetMathMode(CudaBlasHandle handle, Math mode) => throw new NotSupportedException();

    public static CublasStatus cublasSgemm_v2(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        ref float alpha, CUdeviceptr A, int lda, CUdeviceptr B, int ldb, ref float beta, CUdeviceptr C, int ldc) =>
        throw new NotSupportedException();

    public static CublasStatus cublasSgemm_v2(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        CUdeviceptr alpha, CUdeviceptr A, int lda, CUdeviceptr B, int ldb, CUdeviceptr beta, CUdeviceptr C, int ldc) =>
        throw new NotSupportedException();

    public static CublasStatus cublasSgemmStridedBatched(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        ref float alpha, CUdeviceptr A, int lda, long strideA, CUdeviceptr B, int ldb, long strideB,
        ref float beta, CUdeviceptr C, int ldc, long strideC, int batchCount) => throw new NotSupportedException();

    public static CublasStatus cublasSgemmStridedBatched(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        CUdeviceptr alpha, CUdeviceptr A, int lda, long strideA, CUdeviceptr B, int ldb, long strideB,
        CUdeviceptr beta, CUdeviceptr C, int ldc, long strideC, int batchCount) => throw new NotSupportedException();

    public static CublasStatus cublasSgemmGroupedBatched(
        CudaBlasHandle handle, Operation[] transa_array, Operation[] transb_array, int[] m_array, int[] n_array, int[] k_array,
        float[] alpha_array, CUdeviceptr Aarray, int[] lda_array, CUdeviceptr Barray, int[] ldb_array,
        float[] beta_array, CUdeviceptr Carray, int[] ldc_array, int group_count, int[] group_size) => throw new NotSupportedException();

    public static CublasStatus cublasGemmEx(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        IntPtr alpha, CUdeviceptr A, cudaDataType Atype, int lda, CUdeviceptr B, cudaDataType Btype, int ldb,
        IntPtr beta, CUdeviceptr C, cudaDataType Ctype, int ldc, ComputeType computeType, GemmAlgo algo) =>
        throw new NotSupportedException();

    public static CublasStatus cublasGemmEx(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        CUdeviceptr alpha, CUdeviceptr A, cudaDataType Atype, int lda, CUdeviceptr B, cudaDataType Btype, int ldb,
        CUdeviceptr beta, CUdeviceptr C, cudaDataType Ctype, int ldc, ComputeType computeType, GemmAlgo algo) =>
        throw new NotSupportedException();
}
