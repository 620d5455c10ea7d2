using ManagedCuda.CudaBlas;
using TinyMoE.Memory;
using Blas = ManagedCuda.CudaBlas.CudaBlasNativeMethods;

namespace TinyMoE.Cuda;

/// <summary>One product of row-major matrices, c = op(a)·op(b), or c += where it adds; op = transpose where the flag says.</summary>
/// <param name="A">Address of a: (Rows, Inner), or transposed (Inner, Rows).</param>
/// <param name="TransposeA">Which.</param>
/// <param name="B">Address of b: (Inner, Columns), or transposed (Columns, Inner).</param>
/// <param name="TransposeB">Which.</param>
/// <param name="C">Address of c (Rows, Columns).</param>
/// <param name="Adds">Whether c is added to.</param>
/// <param name="Rows">Rows of c.</param>
/// <param name="Columns">Columns of c.</param>
/// <param name="Inner">The dimension that is summed over.</param>
internal readonly record struct Product(
    nint A, bool TransposeA, nint B, bool TransposeB, nint C, bool Adds, int Rows, int Columns, int Inner)
{
    /// <summary>As "512x256x128 NT".</summary>
    public override string ToString() => $"{Rows}x{Columns}x{Inner} {(TransposeA ? 'T' : 'N')}{(TransposeB ? 'T' : 'N')}";
}

/// <summary>
/// cuBLAS on the main stream. It thinks in columns where we think in rows: our row-major c is its column-major cᵀ = op(b)ᵀ·op(a)ᵀ,
/// so it gets b first, then a, each with the flag that we have for it, and the length of our rows as leading dimension.
/// </summary>
internal sealed unsafe class Cublas : IDisposable
{
    private readonly CudaDevice device;
    private CudaBlasHandle handle;
    private bool hasGrouped; // it did grouped products before

    public Cublas(CudaDevice device, TensorCores tensorCores)
    {
        this.device = device;
        try
        {
            Check(Blas.cublasCreate_v2(ref handle), nameof(Blas.cublasCreate_v2));
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new CudaFailure(
                "No cuBLAS: its library (libcublas.so.12, cublas64_12.dll) cannot be loaded. "
                + "Install cuBLAS of CUDA 11 or newer, or use the CPU.", e);
        }

        try
        {
            Check(Blas.cublasSetStream_v2(handle, device.Stream), nameof(Blas.cublasSetStream_v2));
            Check(Blas.cublasSetMathMode(handle, tensorCores == TensorCores.Tf32 ? ManagedCuda.CudaBlas.Math.TF32TensorOpMath
                : ManagedCuda.CudaBlas.Math.DefaultMath), nameof(Blas.cublasSetMathMode));
            int version = 0;
            Check(Blas.cublasGetVersion_v2(handle, ref version), nameof(Blas.cublasGetVersion_v2));
            Version = new Version(version / 10000, version / 100 % 100, version % 100);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The version of the library.</summary>
    public Version Version { get; }

    /// <summary>A product of float32 matrices.</summary>
    public void Multiply(in Product p)
    {
        float one = 1f, beta = p.Adds ? 1f : 0f;
        Check(
            Blas.cublasSgemm_v2(
                handle, Flag(p.TransposeB), Flag(p.TransposeA), p.Columns, p.Rows, p.Inner,
                ref one, At(p.B), RowB(p), At(p.A), RowA(p), ref beta, At(p.C), p.Columns),
            "cublasSgemm", in p);
    }

    /// <summary>The same product for <paramref name="batch"/> matrices that lie one behind the other.</summary>
    public void Multiply(in Product p, int batch)
    {
        float one = 1f, beta = p.Adds ? 1f : 0f;
        Check(
            Blas.cublasSgemmStridedBatched(
                handle, Flag(p.TransposeB), Flag(p.TransposeA), p.Columns, p.Rows, p.Inner,
                ref one, At(p.B), RowB(p), (long)p.Inner * p.Columns, At(p.A), RowA(p), (long)p.Rows * p.Inner, ref beta, At(p.C),
                p.Columns, (long)p.Rows * p.Columns, batch),
            "cublasSgemmStridedBatched", in p, batch);
    }

    /// <summary>A product of matrices in bfloat16 with a sum in float32 and a result in it or in bfloat16, on tensor cores.</summary>
    public void MultiplyBfloat16(in Product p, ElementType result = ElementType.Float32)
    {
        float one = 1f, beta = p.Adds ? 1f : 0f;
        Check(
            Blas.cublasGemmEx(
                handle, Flag(p.TransposeB), Flag(p.TransposeA), p.Columns, p.Rows, p.Inner,
                (nint)(&one), At(p.B), cudaDataType.CUDA_R_16BF, RowB(p), At(p.A), cudaDataType.CUDA_R_16BF, RowA(p),
                (nint)(&beta), At(p.C), result == ElementType.Bfloat16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_32F, p.Columns,
                ComputeType.Compute32F, GemmAlgo.Default),
            "cublasGemmEx", in p);
    }

    /// <summary>
    /// All products in one call, each with sizes of its own. The device has their addresses, three arrays of
    /// <see cref="GroupedSizes.Count"/> one behind the other: of b, of a, of c. False, and nothing done, where this cuBLAS is older than
    /// 12.4 and does not know it, or where the first of these calls fails, whatever its status.
    /// </summary>
    public bool TryMultiplyGrouped(GroupedSizes sizes, nint addresses)
    {
        try
        {
            int count = sizes.Count;
            CublasStatus status = Blas.cublasSgemmGroupedBatched(
                handle, sizes.TransposeB, sizes.TransposeA, sizes.Columns, sizes.Rows, sizes.Inner,
                sizes.Alpha, At(addresses), sizes.RowB, At(addresses + count * sizeof(nint)), sizes.RowA,
                sizes.Beta, At(addresses + 2 * count * sizeof(nint)), sizes.Columns, count, sizes.Ones);
            if (status != CublasStatus.Success && hasGrouped)
                throw device.Failure("cublasSgemmGroupedBatched", $" of {count} products", NameOf(status));
            return hasGrouped = status == CublasStatus.Success;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Elements of a row of a as it lies, and of b.</summary>
    public static int RowA(in Product p) => p.TransposeA ? p.Rows : p.Inner;

    /// <inheritdoc cref="RowA"/>
    public static int RowB(in Product p) => p.TransposeB ? p.Inner : p.Columns;

    /// <summary>A transpose as cuBLAS says it.</summary>
    public static Operation Flag(bool transpose) => transpose ? Operation.Transpose : Operation.NonTranspose;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (handle.Pointer != 0)
            _ = Blas.cublasDestroy_v2(handle);
        handle = default;
    }

    private static CUdeviceptr At(nint address) => new(address);

    private static string NameOf(CublasStatus status) => (int)status switch
    {
        1 => "CUBLAS_STATUS_NOT_INITIALIZED",
        3 => "CUBLAS_STATUS_ALLOC_FAILED",
        7 => "CUBLAS_STATUS_INVALID_VALUE",
        8 => "CUBLAS_STATUS_ARCH_MISMATCH",
        11 => "CUBLAS_STATUS_MAPPING_ERROR",
        13 => "CUBLAS_STATUS_EXECUTION_FAILED",
        14 => "CUBLAS_STATUS_INTERNAL_ERROR",
        15 => "CUBLAS_STATUS_NOT_SUPPORTED",
        16 => "CUBLAS_STATUS_LICENSE_ERROR",
        int number => $"cuBLAS status {number}",
    };

    private void Check(CublasStatus status, string call)
    {
        if (status != CublasStatus.Success)
            throw device.Failure(call, "", NameOf(status));
    }

    private void Check(CublasStatus status, string call, in Product product, int batch = 1)
    {
        if (status != CublasStatus.Success)
            throw device.Failure(call, $" of {product}{(batch > 1 ? $", {batch} of them" : "")}", NameOf(status));
    }
}
