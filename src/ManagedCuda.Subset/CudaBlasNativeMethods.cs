using System.Runtime.InteropServices;
using ManagedCuda.BasicTypes;

namespace ManagedCuda.CudaBlas;

/// <summary>The entry points of cuBLAS, named as in C. Matrices are column-major; scalars are read on the host.</summary>
public static class CudaBlasNativeMethods
{
    internal const string Library = "cublas64_12";

    static CudaBlasNativeMethods() => NativeLibraries.Resolve();

    /// <summary>Opens the library on the current context.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasCreate_v2(ref CudaBlasHandle handle);

    /// <summary>Closes the library.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasDestroy_v2(CudaBlasHandle handle);

    /// <summary>The library's version, 10000·major + 100·minor + patch.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasGetVersion_v2(CudaBlasHandle handle, ref int version);

    /// <summary>The stream of the calls that follow.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasSetStream_v2(CudaBlasHandle handle, CUstream streamId);

    /// <summary>Memory to work in, in place of cuBLAS's own; another stream takes it away again.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasSetWorkspace_v2(CudaBlasHandle handle, CUdeviceptr workspace, SizeT workspaceSizeInBytes);

    /// <summary>Whether tensor cores may round float32 operands.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasSetMathMode(CudaBlasHandle handle, Math mode);

    /// <summary>C = alpha·op(A)·op(B) + beta·C. op(A) (m, k), op(B) (k, n), C (m, n).</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasSgemm_v2(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        [In] ref float alpha, CUdeviceptr A, int lda, CUdeviceptr B, int ldb, [In] ref float beta, CUdeviceptr C, int ldc);

    /// <summary>A float32 product for each of a batch whose matrices lie at even distances.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasSgemmStridedBatched(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        ref float alpha, CUdeviceptr A, int lda, long strideA, CUdeviceptr B, int ldb, long strideB,
        ref float beta, CUdeviceptr C, int ldc, long strideC, int batchCount);

    /// <summary>
    /// Float32 products in groups, each with sizes of its own. Sizes lie
    /// on the host, the arrays of addresses on the device. From cuBLAS 12.4 on.
    /// </summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasSgemmGroupedBatched(
        CudaBlasHandle handle, Operation[] transa_array, Operation[] transb_array, int[] m_array, int[] n_array, int[] k_array,
        float[] alpha_array, CUdeviceptr Aarray, int[] lda_array, CUdeviceptr Barray, int[] ldb_array,
        float[] beta_array, CUdeviceptr Carray, int[] ldc_array,
        int group_count, int[] group_size);

    /// <summary>A product of matrices of any types; alpha and beta are addresses of scalars of the type that is computed in.</summary>
    [DllImport(Library)]
    public static extern CublasStatus cublasGemmEx(
        CudaBlasHandle handle, Operation transa, Operation transb, int m, int n, int k,
        IntPtr alpha, CUdeviceptr A, cudaDataType Atype, int lda, CUdeviceptr B, cudaDataType Btype, int ldb,
        IntPtr beta, CUdeviceptr C, cudaDataType Ctype, int ldc, ComputeType computeType, GemmAlgo algo);
}
