using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Products of experts. Their sizes are known on the device first;
// PublishedOffsets has them on the host by the time that they are needed here.
public sealed unsafe partial class CudaBackend
{
    private readonly GroupedSizes groupedSizes = new();
    private Product[] products = [];    // one for each expert that has work
    private int productCount;
    private bool blasHasGrouped = true; // until it says otherwise

    /// <inheritdoc/>
    public override void GroupedMatMul(
        Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        if (y.IsNone || N == 0 || outputs == 0)
            return;
        MultiplyRows(x, w, transposeW: true, offsets, E, N, inputs, outputs, y, clearsUnassigned: !HasWork(epilogue));
        Finish(y.View, epilogue, offsets, E, N, outputs);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Floats dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        if (dx.IsNone || N == 0 || inputs == 0)
            return;
        MultiplyRows(dy, w, transposeW: false, offsets, E, N, outputs, inputs, dx, clearsUnassigned: true);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        if (dw.IsNone || E == 0 || inputs == 0 || outputs == 0)
            return;
        ReadOnlySpan<int> first = HostOffsets(offsets.Slice(0, E + 1));
        BeginProducts(E);
        for (int e = 0; e < E; e++)
        {
            int rows = first[e + 1] - first[e];
            Product product = new(
                At(dy, (long)first[e] * outputs), TransposeA: true, At(x, (long)first[e] * inputs), TransposeB: false,
                At(dw.View, (long)e * outputs * inputs), dw.Adds, outputs, inputs, rows);
            if (rows > 0)
                products[productCount++] = product;
            else
                ClearStored(product);
        }

        Multiply(products.AsSpan(0, productCount));
    }

    /// <inheritdoc/>
    public override void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        if (!y.IsNone)
            Launch("grouped_sum", new Grid(E, Ceiling.Divide(C, EpilogueColumns)), x, offsets, C, y);
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
        Floats x, Weights w, bool transposeW, Ints offsets, int E, int N, int inner, int columns, Target y, bool clearsUnassigned)
    {
        ReadWeights read = ReadOf(x, N * inner, w, (long)E * inner * columns);
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
                At(y.View, (long)first[e] * columns), y.Adds, rows, columns, inner);
            if (rows > 0 && inner > 0)
                products[productCount++] = product;
            else
                ClearStored(product);
        }

        if (clearsUnassigned && !y.Adds)
            Fill(At(y.View, (long)first[E] * columns), (long)(N - first[E]) * columns, 0f);
        if (read.OnTensorCores)
        {
            foreach (ref readonly Product product in products.AsSpan(0, productCount))
                blas.MultiplyBfloat16(product);
        }
        else
        {
            Multiply(products.AsSpan(0, productCount));
        }

        Return(read);
    }

    private void BeginProducts(int E)
    {
        productCount = 0;
        if (products.Length < E)
            products = new Product[E];
    }

    /// <summary>All products: in one call where this cuBLAS has it, else one by one.</summary>
    private void Multiply(ReadOnlySpan<Product> all)
    {
        if (all.Length > 1 && blasHasGrouped)
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

    private static nint At(Floats view, long element) => view.Address + (nint)(element * sizeof(float));
}
