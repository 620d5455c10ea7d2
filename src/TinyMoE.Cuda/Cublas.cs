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
    private CUdeviceptr workspace;

    public Cublas(CudaDevice device, TensorCores tensorCores)
    {
        this.device = device;
        try
        {
            CublasStatus status = Blas.cublasCreate_v2(ref handle);
            if (status != CublasStatus.Success) // most often it is newer than the driver, or too new for the card
                throw Failure(nameof(Blas.cublasCreate_v2), $" of {LoadedLibraries.Cublas ?? "cuBLAS"}", status);
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            throw new CudaFailure(
                "No cuBLAS: its library (libcublas.so.12, cublas64_12.dll; "
                + $"this driver runs those of CUDA 11 to {CudaDriver.Version.Major}) "
                + "is neither on the loader's path nor in a folder of CUDA or Python. "
                + "Install it, or set TINYMOE_CUBLAS_LIBRARY to its file, or use the CPU.", e);
        }

        try
        {
            Check(Blas.cublasSetStream_v2(handle, device.Stream), nameof(Blas.cublasSetStream_v2));
            Use(tensorCores);
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

    /// <summary>
    /// Gives it memory of ours to work in, as much as it would take by itself: what it takes during a capture would belong to that graph.
    /// </summary>
    public void KeepWorkspace()
    {
        if (workspace.Pointer != 0)
            return;
        // The sizes that cuBLAS takes by default, by NVIDIA's documentation: with others it might choose other algorithms.
        int mebibytes = device.Info.ComputeCapability.Major switch { >= 12 => 12, >= 9 => 32, _ => 4 };
        CUResult result = Driver.MemoryManagement.cuMemAlloc_v2(ref workspace, (long)mebibytes << 20);
        if (result != CUResult.Success)
            throw device.Failure(nameof(Driver.MemoryManagement.cuMemAlloc_v2), $" of {mebibytes} MiB for cuBLAS", result);
        Check(Blas.cublasSetWorkspace_v2(handle, workspace, (long)mebibytes << 20), nameof(Blas.cublasSetWorkspace_v2));
    }

    /// <summary>From now on float32 products may round their operands, or may not.</summary>
    public void Use(TensorCores tensorCores) => Check(
        Blas.cublasSetMathMode(handle, tensorCores == TensorCores.Tf32 ? ManagedCuda.CudaBlas.Math.TF32TensorOpMath
            : ManagedCuda.CudaBlas.Math.DefaultMath),
        nameof(Blas.cublasSetMathMode));

    /// <summary>A product of float32 matrices.</summary>
    public void Multiply(in Product p)
    {
        float one = 1f, beta = p.Adds ? 1f : 0f;
        CublasStatus status;
        bool mayRepeat = true;
        do
        {
            status = Blas.cublasSgemm_v2(
                handle, Flag(p.TransposeB), Flag(p.TransposeA), p.Columns, p.Rows, p.Inner,
                ref one, At(p.B), RowB(p), At(p.A), RowA(p), ref beta, At(p.C), p.Columns);
        }
        while (Repeats(status, ref mayRepeat));
        Check(status, "cublasSgemm", in p);
    }

    /// <summary>The same product for <paramref name="batch"/> matrices that lie one behind the other.</summary>
    public void Multiply(in Product p, int batch)
    {
        float one = 1f, beta = p.Adds ? 1f : 0f;
        CublasStatus status;
        bool mayRepeat = true;
        do
        {
            status = Blas.cublasSgemmStridedBatched(
                handle, Flag(p.TransposeB), Flag(p.TransposeA), p.Columns, p.Rows, p.Inner,
                ref one, At(p.B), RowB(p), (long)p.Inner * p.Columns, At(p.A), RowA(p), (long)p.Rows * p.Inner, ref beta, At(p.C),
                p.Columns, (long)p.Rows * p.Columns, batch);
        }
        while (Repeats(status, ref mayRepeat));
        Check(status, "cublasSgemmStridedBatched", in p, batch);
    }

    /// <summary>A product of matrices in bfloat16 with a sum in float32 and a result in it or in bfloat16, on tensor cores.</summary>
    public void MultiplyBfloat16(in Product p, ElementType result = ElementType.Float32)
    {
        float one = 1f, beta = p.Adds ? 1f : 0f;
        CublasStatus status;
        bool mayRepeat = true;
        do
        {
            status = Blas.cublasGemmEx(
                handle, Flag(p.TransposeB), Flag(p.TransposeA), p.Columns, p.Rows, p.Inner,
                (nint)(&one), At(p.B), cudaDataType.CUDA_R_16BF, RowB(p), At(p.A), cudaDataType.CUDA_R_16BF, RowA(p),
                (nint)(&beta), At(p.C), result == ElementType.Bfloat16 ? cudaDataType.CUDA_R_16BF : cudaDataType.CUDA_R_32F, p.Columns,
                ComputeType.Compute32F, GemmAlgo.Default);
        }
        while (Repeats(status, ref mayRepeat));
        Check(status, "cublasGemmEx", in p);
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
            CublasStatus status;
            bool mayRepeat = true;
            do
            {
                status = Blas.cublasSgemmGroupedBatched(
                    handle, sizes.TransposeB, sizes.TransposeA, sizes.Columns, sizes.Rows, sizes.Inner,
                    sizes.Alpha, At(addresses), sizes.RowB, At(addresses + count * sizeof(nint)), sizes.RowA,
                    sizes.Beta, At(addresses + 2 * count * sizeof(nint)), sizes.Columns, count, sizes.Ones);
            }
            while (Repeats(status, ref mayRepeat));
            if (status != CublasStatus.Success && hasGrouped)
                throw Failure("cublasSgemmGroupedBatched", $" of {count} products", status);
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
        if (workspace.Pointer != 0)
            _ = Driver.MemoryManagement.cuMemFree_v2(workspace);
        (handle, workspace) = (default, default);
    }

    private static CUdeviceptr At(nint address) => new(address);

    private void Check(CublasStatus status, string call)
    {
        if (status != CublasStatus.Success)
            throw Failure(call, "", status);
    }

    private void Check(CublasStatus status, string call, in Product product, int batch = 1)
    {
        if (status != CublasStatus.Success)
            throw Failure(call, $" of {product}{(batch > 1 ? $", {batch} of them" : "")}", status);
    }

    /// <summary>Whether the same call is worth another try, once: cuBLAS found no memory for
    /// its workspace or its kernels, did nothing, and the pool had some to give.</summary>
    private bool Repeats(CublasStatus status, ref bool may)
    {
        if (status != CublasStatus.AllocFailed || !may)
            return false;
        may = false;
        return device.Reclaim();
    }

    private CudaFailure Failure(string call, string sizes, CublasStatus status) => status == CublasStatus.AllocFailed
        ? device.OutOfMemory($"{call}{sizes} found none left")
        : device.Failure(call, sizes, CudaErrors.NameOf(status));
}
