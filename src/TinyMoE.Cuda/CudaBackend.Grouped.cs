using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Products of experts, by cuBLAS or by kernels of our own (CudaBackend.GroupedProducts.cs): GroupedChoice says. Their sizes are known on
// the device first; PublishedOffsets has them on the host by the time that cuBLAS needs them here. Our own read them where they are.
public sealed unsafe partial class CudaBackend
{
    private readonly GroupedSizes groupedSizes = new();
    private Product[] products = [];    // one for each expert that has work
    private int productCount;
    private bool blasHasGrouped = true; // until it says otherwise
    private bool productsAskForOffsets; // from the first product of cuBLAS on they are sent to the host as soon as they are made

    /// <inheritdoc/>
    protected override void GroupedMatMul(
        Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        if (IsEmpty(y, N, outputs))
            return;
        if (AreThin(w, N, MostThinRows))
            MultiplyThinExperts(x, tokens: default, w, offsets, E, N, inputs, outputs, y, epilogue);
        else
            GroupedMatMul(
                IsOwn(isNarrow: false, E, N, inputs, outputs), ReadOf(x, N * inputs, w, (long)E * inputs * outputs), offsets, E, N, inputs,
                outputs, y, epilogue);
    }

    /// <inheritdoc/>
    public override void GroupedMatMul(
        Values x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        bool isOwn = IsOwn(isNarrow: true, E, N, inputs, outputs);
        if ((inputs == 0 && !isOwn) || !TakesNarrow(x, w, y, epilogue))
            base.GroupedMatMul(x, w, offsets, E, N, inputs, outputs, y, in epilogue);
        else if (!IsEmpty(y, N, outputs))
            GroupedMatMul(isOwn, AsTheyLie(x, w), offsets, E, N, inputs, outputs, y, epilogue);
    }

    private void GroupedMatMul(
        bool isOwn, in ReadWeights read, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue)
    {
        if (isOwn)
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
            GroupedMatMulBackwardInput(
                IsOwn(isNarrow: false, E, N, inputs, outputs), ReadOf(dy, N * outputs, w, (long)E * inputs * outputs), offsets, E, N,
                inputs, outputs, dx);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Values dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        bool isOwn = IsOwn(isNarrow: true, E, N, inputs, outputs);
        if ((outputs == 0 && !isOwn) || !TakesNarrow(dy, w, dx, default))
            base.GroupedMatMulBackwardInput(dy, w, offsets, E, N, inputs, outputs, dx);
        else if (!IsEmpty(dx, N, inputs))
            GroupedMatMulBackwardInput(isOwn, AsTheyLie(dy, w), offsets, E, N, inputs, outputs, dx);
    }

    private void GroupedMatMulBackwardInput(
        bool isOwn, in ReadWeights read, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        if (isOwn)
            OwnGroupedMatMulBackwardInput(read, offsets, E, N, inputs, outputs, dx);
        else
            MultiplyRows(read, transposeW: false, offsets, E, N, outputs, inputs, dx, clearsUnassigned: true);
    }

    /// <inheritdoc/>
    protected override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        if (IsEmpty(dw, (long)E * outputs, inputs))
            return;
        if (IsOwn(isNarrow: false, E, N, inputs, outputs))
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
        else if (IsOwn(isNarrow: true, E, N, inputs, outputs))
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
        ReadOnlySpan<int> first = OffsetsForProducts(offsets.Slice(0, E + 1));
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
        ReadOnlySpan<int> first = OffsetsForProducts(offsets.Slice(0, E + 1));
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

    private bool IsOwn(bool isNarrow, int E, int N, int inputs, int outputs) =>
        GroupedChoice.IsOwn(options, isNarrow, E, N, inputs, outputs);

    private ReadOnlySpan<int> OffsetsForProducts(Ints offsets)
    {
        productsAskForOffsets = true;
        return HostOffsets(offsets);
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
        if (blasHasGrouped && GroupedChoice.GoTogether(all, options))
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

    private void MultiplyBfloat16(ReadOnlySpan<Product> all, ElementType result)
    {
        foreach (ref readonly Product product in all)
            blas.MultiplyBfloat16(product, result);
    }

    /// <summary>Both sides in bfloat16 memory, to be read where they are.</summary>
    private static ReadWeights AsTheyLie(Values x, Weights w) => new(x.Address, w.Address, null, OnTensorCores: true);

    private static nint At(Values values, long element) => values.Address + (nint)values.Type.BytesOf(element);
}
