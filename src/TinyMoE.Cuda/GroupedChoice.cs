namespace TinyMoE.Cuda;

/// <summary>
/// Which of the three ways multiplies for the experts of a layer: a kernel of our own, one call of cuBLAS for all of them, or a call each.
/// Options and sizes alone choose, never what a router did or how long something took, so that a run keeps its bits.
/// </summary>
internal static class GroupedChoice
{
    // Multiply-adds of a product, the mean of the experts that have rows: from so many on a call each is faster; see GoTogether.
    private const long MostWorkTogether = 1L << 31, MostWorkTogetherUneven = 1L << 28;

    /// <summary>
    /// Multiply-adds of a product, the mean of all experts, up to which <see cref="GroupedProducts.Auto"/> takes our own kernel. By paper
    /// (tests/TinyMoE.Tests/Cuda/Budget; nobody has measured it, which `tinymoe doctor --tune` does): time of the three forward and six
    /// backward products of a layer by the better way of cuBLAS, beside that by our own kernel, with the host's wait, the launches that a
    /// graph saves, and the pass for SwiGLU; 8 experts on an H100.
    /// <code>
    ///  512 rows per expert,  256 to  512 (2²⁶):  float32 1.5   TF32 3.1   bfloat16 8.9
    /// 1024 rows per expert,  512 to  512 (2²⁸):          0.9        1.8            3.7
    /// 2048 rows per expert,  512 to  512 (2²⁹):          0.8        1.1            2.1
    /// 2048 rows per expert, 1024 to  512 (2³⁰):          0.7        0.8            1.1
    /// 4096 rows per expert, 1024 to  512 (2³¹):          0.7        0.7            0.7
    /// </code>
    /// </summary>
    public static long MostWorkOfOwn(TensorCores cores) => cores switch
    {
        TensorCores.Tf32 => 1L << 29,
        TensorCores.Bfloat16 => 1L << 30,
        _ => 1L << 26,
    };

    /// <summary>
    /// Whether our own kernel multiplies, which reads on the device how many of the N rows each expert has: the host then waits for no
    /// router, and the step can be one graph. A step that must be one has no other. <paramref name="isNarrow"/>: both sides lie in
    /// bfloat16. Symmetric in inputs and outputs, so that forward and backward go the same way.
    /// </summary>
    public static bool IsOwn(CudaOptions options, bool isNarrow, int E, int N, int inputs, int outputs) => options.Grouped switch
    {
        GroupedProducts.Own => true,
        GroupedProducts.Auto => options.Graph == GraphUse.On
            || (double)N * inputs * outputs / Math.Max(E, 1) <= MostWorkOfOwn(isNarrow ? TensorCores.Bfloat16 : options.TensorCores),
        _ => false,
    };

    /// <summary>What multiplies products of even sizes; <paramref name="isUneven"/>: rows of experts are what is summed over.</summary>
    public static GroupedProducts Of(CudaOptions options, bool isNarrow, int E, int N, int inputs, int outputs, bool isUneven)
    {
        if (IsOwn(options, isNarrow, E, N, inputs, outputs))
            return GroupedProducts.Own;
        long work = (long)N * inputs / Math.Max(E, 1) * outputs;
        bool together = !isNarrow && AreSmall(work, options.TensorCores == TensorCores.Tf32, isUneven);
        return options.Grouped != GroupedProducts.Auto ? options.Grouped : together ? GroupedProducts.Cublas : GroupedProducts.Loop;
    }

    /// <summary>
    /// Whether products of cuBLAS go into one call. By itself each costs the host 7 to 14 µs, but large ones run faster so. Measured on an
    /// H200 with cuBLAS 13.1, 8 experts, forward and both backward products, µs in one call / in a call each (docs/cuda.md has more):
    /// <code>
    ///  512 rows of an expert,  256 to  512:  float32  178 /  351   TF32   64 / 276
    /// 2048 rows of an expert,  512 to  512:  float32  769 /  796   TF32  224 / 312
    /// 4096 rows of an expert, 1024 to 1024:  float32 4533 / 4281   TF32 1138 / 942
    /// </code>
    /// In TF32 cuBLAS takes its float32 kernels for the whole call when the inner size of one product is no multiple of 4, as the rows of
    /// experts are not in the gradient of weights: large ones then take three times as long as by themselves. And it wants the matrices
    /// aligned to 16 bytes, or reading them may fail, says its documentation: it does not see where they lie when it chooses its kernel.
    /// </summary>
    public static bool GoTogether(ReadOnlySpan<Product> all, CudaOptions options)
    {
        if (all.Length < 2 || options.Grouped is GroupedProducts.Loop or GroupedProducts.Own)
            return false;
        (long work, int inner, nint addresses) = (0, 0, 0);
        foreach (ref readonly Product product in all)
        {
            work += (long)product.Rows * product.Columns * product.Inner;
            inner |= product.Inner;
            addresses |= product.A | product.B | product.C;
        }

        bool isTf32 = options.TensorCores == TensorCores.Tf32;
        if (isTf32 && addresses % CudaBackend.Alignment != 0)
            return false;
        return options.Grouped == GroupedProducts.Cublas || AreSmall(work / all.Length, isTf32, isUneven: inner % 4 != 0);
    }

    /// <summary>Whether products of so many multiply-adds, their mean, are faster in one call of cuBLAS than in a call each;
    /// <paramref name="isUneven"/>: the inner size of one is no multiple of 4.</summary>
    public static bool AreSmall(long work, bool isTf32, bool isUneven) =>
        work < (isTf32 && isUneven ? MostWorkTogetherUneven : MostWorkTogether);
}
