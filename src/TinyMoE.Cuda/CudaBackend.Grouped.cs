using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Products of experts. Their sizes are known on the device first; PublishedOffsets has them
// on the host by the time that cuBLAS needs them here. Kernels of our own do not: CudaBackend.GroupedProducts.cs.
public sealed unsafe partial class CudaBackend
{
    // Products of so many multiply-adds on average are faster by themselves; see GoTogether.
    private const long MostWorkTogether = 1L << 31, MostWorkTogetherUneven = 1L << 28;

    private readonly GroupedSizes groupedSizes = new();
    private Product[] products = [];    // one for each expert that has work
    private int productCount;
    private bool blasHasGrouped = true; // until it says otherwise

    /// <inheritdoc/>
    protected override void GroupedMatMul(
        Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        if (!IsEmpty(y, N, outputs))
            GroupedMatMul(ReadOf(x, N * inputs, w, (long)E * inputs * outputs), offsets, E, N, inputs, outputs, y, epilogue);
    }

    /// <inheritdoc/>
    public override void GroupedMatMul(
        Values x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        if ((inputs == 0 && !OwnGrouped) || !TakesNarrow(x, w, y, epilogue))
            base.GroupedMatMul(x, w, offsets, E, N, inputs, outputs, y, in epilogue);
        else if (!IsEmpty(y, N, outputs))
            GroupedMatMul(AsTheyLie(x, w), offsets, E, N, inputs, outputs, y, epilogue);
    }

    private void GroupedMatMul(
        in ReadWeights read, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue)
    {
        if (OwnGrouped)
        {
            OwnGroupedMatMul(read, tokens: default, offsets, E, N, inputs, outputs, y, epilogue);
            return;
        }

        MultiplyRows(read, transposeW: true, offsets, E, N, inputs, outputs, y, clearsUnassigned: !HasWork(epilogue));
        Finish(y.Values, epilogue, offsets, E, N, outputs);
    }

    /// <inheritdoc/>
    protected override void GroupedMatMulBackwardInput(Floats dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        if (!IsEmpty(dx, N, inputs))
            GroupedMatMulBackwardInput(ReadOf(dy, N * outputs, w, (long)E * inputs * outputs), offsets, E, N, inputs, outputs, dx);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Values dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        if ((outputs == 0 && !OwnGrouped) || !TakesNarrow(dy, w, dx, default))
            base.GroupedMatMulBackwardInput(dy, w, offsets, E, N, inputs, outputs, dx);
        else if (!IsEmpty(dx, N, inputs))
            GroupedMatMulBackwardInput(AsTheyLie(dy, w), offsets, E, N, inputs, outputs, dx);
    }

    private void GroupedMatMulBackwardInput(in ReadWeights read, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        if (OwnGrouped)
            OwnGroupedMatMulBackwardInput(read, offsets, E, N, inputs, outputs, dx);
        else
            MultiplyRows(read, transposeW: false, offsets, E, N, outputs, inputs, dx, clearsUnassigned: true);
    }

    /// <inheritdoc/>
    protected override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        if (IsEmpty(dw, (long)E * outputs, inputs))
            return;
        if (OwnGrouped)
            OwnGroupedMatMulBackwardWeight(
                KindOfFloat32, dy.Address, x.Address, tokens: default, offsets, E, N, inputs, outputs, dw);
        else
            Multiply(ProductsOfWeights(dy, x, offsets, E, inputs, outputs, dw));
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Values dy, Values x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        if (dw.Type != ElementType.Float32 || !TakesNarrow(dy, x, dw, default))
            base.GroupedMatMulBackwardWeight(dy, x, offsets, E, N, inputs, outputs, dw);
        else if (IsEmpty(dw, (long)E * outputs, inputs))
            return;
        else if (OwnGrouped)
            OwnGroupedMatMulBackwardWeight(
                TensorCores.Bfloat16, dy.Address, x.Address, tokens: default, offsets, E, N, inputs, outputs, dw);
        else
            MultiplyBfloat16(ProductsOfWeights(dy, x, offsets, E, inputs, outputs, dw), dw.Type);
    }

    /// <summary>Whether there is nothing to compute: nobody wants the result, or it has no elements.</summary>
    private static bool IsEmpty(Target result, long rows, int columns) => result.IsNone || rows == 0 || columns == 0;

    /// <inheritdoc/>
    protected override void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        if (!y.IsNone)
            Launch("grouped_sum", new Grid(E, Ceiling.Divide(C, EpilogueColumns)), x, offsets, C, y);
    }

    /// <inheritdoc/>
    public override void GroupedSum(Values x, Ints offsets, int E, int N, int C, Target y)
    {
        if (!AreNarrow(x) || y.Type != ElementType.Float32)
            base.GroupedSum(x, offsets, E, N, C, y);
        else if (!y.IsNone)
            Launch("grouped_sum_bfloat16", new Grid(E, Ceiling.Divide(C, EpilogueColumns)), Narrow(x), offsets, C, y);
    }

    /// <inheritdoc/>
    public override void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        if (!y.IsNone)
            Launch("grouped_broadcast", new Grid(Ceiling.Divide(N, EpilogueRows), Ceiling.Divide(C, EpilogueColumns)), x, offsets, E, N, C,
                y);
    }

    /// <summary>y[n] = op(w[e])·x[n] for the rows n of each expert, and zeros behind them when
    /// they are stored. x (N, inner), op(w) (E, columns, inner), y (N, columns).</summary>
    private void MultiplyRows(
        in ReadWeights read, bool transposeW, Ints offsets, int E, int N, int inner, int columns, Target y, bool clearsUnassigned)
    {
        // after what needs no sizes, so that the device has work while the host waits
        ReadOnlySpan<int> first = HostOffsets(offsets.Slice(0, E + 1));
        int size = read.ElementSize;
        BeginProducts(E);
        for (int e = 0; e < E; e++)
        {
            int rows = first[e + 1] - first[e];
            Product product = new(
                read.Left + (nint)((long)first[e] * inner * size), TransposeA: false, read.Right + (nint)((long)e * inner * columns * size),
                transposeW,
                At(y.Values, (long)first[e] * columns), y.Adds, rows, columns, inner);
            if (rows > 0 && inner > 0)
                products[productCount++] = product;
            else
                ClearStored(product);
        }

        if (clearsUnassigned && !y.Adds)
            Fill(y.Values.Slice(first[E] * columns, (N - first[E]) * columns), 0f);
        if (read.OnTensorCores)
            MultiplyBfloat16(products.AsSpan(0, productCount), y.Type);
        else
            Multiply(products.AsSpan(0, productCount));
        Return(read);
    }

    /// <summary>dw[e] = Σ dy[n]·x[n]ᵀ over the rows n of each expert; dw of an expert without rows is cleared where it is stored.</summary>
    private ReadOnlySpan<Product> ProductsOfWeights(Values dy, Values x, Ints offsets, int E, int inputs, int outputs, Target dw)
    {
        ReadOnlySpan<int> first = HostOffsets(offsets.Slice(0, E + 1));
        BeginProducts(E);
        for (int e = 0; e < E; e++)
        {
            int rows = first[e + 1] - first[e];
            Product product = new(
                At(dy, (long)first[e] * outputs), TransposeA: true, At(x, (long)first[e] * inputs), TransposeB: false,
                At(dw.Values, (long)e * outputs * inputs), dw.Adds, outputs, inputs, rows);
            if (rows > 0)
                products[productCount++] = product;
            else
                ClearStored(product);
        }

        return products.AsSpan(0, productCount);
    }

    private void BeginProducts(int E)
    {
        productCount = 0;
        if (products.Length < E)
            products = new Product[E];
    }

    /// <summary>All products: in one call where the options say so and this cuBLAS takes them, else one by one.</summary>
    private void Multiply(ReadOnlySpan<Product> all)
    {
        if (blasHasGrouped && GoTogether(all, options))
        {
            Span<nint> addresses = all.Length <= 128 ? stackalloc nint[3 * all.Length] : new nint[3 * all.Length];
            groupedSizes.Set(all, addresses);
            // for all experts, also when some have no rows: the same size every step
            DeviceBuffer scratch = Pool.Rent(3L * products.Length * sizeof(nint));
            staging.Upload(System.Runtime.InteropServices.MemoryMarshal.AsBytes<nint>(addresses), scratch.Address);
            blasHasGrouped = blas.TryMultiplyGrouped(groupedSizes, scratch.Address);
            Pool.Return(scratch);
            if (blasHasGrouped)
                return;
        }

        foreach (ref readonly Product product in all)
            blas.Multiply(product);
    }

    /// <summary>
    /// Whether products go into one call. By itself each costs the host 7 to 14 µs, but large ones run faster so. Measured on an H200 with
    /// cuBLAS 13.1, 8 experts, forward and both backward products, µs in one call / in a call each (docs/cuda.md has more):
    /// <code>
    ///  512 rows of an expert,  256 to  512:  float32  178 /  351   TF32   64 / 276
    /// 2048 rows of an expert,  512 to  512:  float32  769 /  796   TF32  224 / 312
    /// 4096 rows of an expert, 1024 to 1024:  float32 4533 / 4281   TF32 1138 / 942
    /// </code>
    /// In TF32 cuBLAS takes its float32 kernels for the whole call when the inner size of one product is no multiple of 4, as the rows of
    /// experts are not in the gradient of weights: large ones then take three times as long as by themselves. And it wants the matrices
    /// aligned to 16 bytes, or reading them may fail, says its documentation: it does not see where they lie when it chooses its kernel.
    /// </summary>
    internal static bool GoTogether(ReadOnlySpan<Product> all, CudaOptions options)
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
        if (isTf32 && addresses % Alignment != 0)
            return false;
        long most = isTf32 && inner % 4 != 0 ? MostWorkTogetherUneven : MostWorkTogether;
        return options.Grouped == GroupedProducts.Cublas || work / all.Length < most;
    }

    private void MultiplyBfloat16(ReadOnlySpan<Product> all, ElementType result)
    {
        foreach (ref readonly Product product in all)
            blas.MultiplyBfloat16(product, result);
    }

    /// <summary>Both sides in bfloat16 memory, to be read where they are.</summary>
    private static ReadWeights AsTheyLie(Values x, Weights w) => new(x.Address, w.Address, null, OnTensorCores: true);

    private static nint At(Values values, long element) => values.Address + (nint)values.Type.BytesOf(element);
}
