using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// <para>Matrix products in the manner of BLIS (Van Zee and van de Geijn 2015), with packing only where it pays. A tile of c
/// (<see cref="Products"/>) is computed from a block of both operands after the other, each where it fits:</para>
/// <code>
///              b:   +----+----+----+         for each block of the inner dimension, MostDepth steps or fewer
///   block of the    |    |    |    |           (strips of a are packed: half of the second-level cache)
///   inner dimension |    |    |    |           for each panel of b, as wide as the micro-kernel: the first-level cache
///                   +----+----+----+             for each strip of a, as high as the micro-kernel: streams past
///   a:   block                                     the micro-kernel: its piece of c in registers
///     +---------+   +----+----+----+
///     +---------+   |####|    |    |   strip
///     +---------+   +----+----+----+
///     +---------+   +----+----+----+   c's tile
/// </code>
/// <para>Operands are read where they lie wherever the micro-kernel can: a either way (it broadcasts single values), b where a step's
/// columns lie side by side. The tile packs the rest into its thread's scratch (<see cref="Products.PacksA"/>,
/// <see cref="Products.PacksB"/>): what is transposed, what is to be widened from 16 bits, what is left at the edges, and rows at such
/// a distance that they would crowd each other out of the cache (<see cref="Caches"/>). Nothing is packed into memory and no thread waits
/// for another. Batches and experts are only more tiles in the same work list; where they are too few, a tile's blocks of the inner
/// dimension become pieces too (<see cref="MultiplySlices"/>); and where many threads would wait for the last ones, those are cut smaller.
/// </para>
/// <para>The bits: an element's sum goes through the inner dimension in blocks of MostDepth steps, each from its first step to its last,
/// and the blocks' sums are added up in order. Neither tile, panel and strip nor the number of threads changes that.</para>
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    private const int MostDepth = 256; // steps of a block: no machine has another, because it is the order of the sums

    /// <summary>The micro-kernel of every product; tests choose narrower ones.</summary>
    internal MicroKernel Kernel { get; init; } = MicroKernel.Best;

    /// <summary>What products are cut for; tests choose others.</summary>
    internal Caches Caches { get; init; } = Caches.Here;

    /// <inheritdoc/>
    protected override void MatMul(
        Floats a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default)
    {
        if (!transposeA && transposeB && batch == 1 && rows <= Products.ThinRows && (long)columns * inner <= Products.ThinWork
            && epilogue.IsNone && Supports(b) && !b.LieApart && !c.IsNone)
        {
            Simd.Run(new SmallThinWork(a, b, c, rows, columns, inner), Kernel.Bits);
            return;
        }

        Operand left = transposeA ? new(a, LaneStride: 1, InnerStride: rows) : new(a, LaneStride: inner, InnerStride: 1);
        Operand right = transposeB ? new(b, LaneStride: inner, InnerStride: 1) : new(b, LaneStride: 1, InnerStride: columns);
        Multiply(new Products(Kernel, left, right, c, batch, rows, columns, inner) { Epilogue = epilogue, Sequences = Sequences });
    }

    private void Multiply(Products products)
    {
        if (products.C.IsNone || products.Count == 0 || products.Rows == 0 || products.Columns == 0)
            return;
        if (!Supports(products.B.Data) || (products.B.Data.LieApart && products.Ragged != Ragged.Rows))
            throw products.B.Data.NotSupportedBy("cpu", "A product");
        products = products.Cut(workers.Threads, Caches);
        if (products.IsThin)
            MultiplyThin(products);
        else if (products.Slices > 1)
            MultiplySlices(products);
        else
            workers.For(products.Pieces(), (products, workers), static (piece, in s) =>
                ComputePiece(piece, in s.products, slices: null, s.workers));
        if (products.Ragged == Ragged.Rows)
            ClearUnassignedRows(products);
    }

    private static bool Supports(in Weights b) => b.Type is ElementType.Float32 or ElementType.Bfloat16 or ElementType.Float16;

    /// <summary>
    /// Products of few tiles on many threads. A block of the inner dimension is summed by itself before it is added to c anyway; here each
    /// is a piece of its own, the first in c, the others beside each other in memory, and they are added to c in order: the same bits.
    /// </summary>
    private void MultiplySlices(Products products)
    {
        int size = products.Count * products.Rows * products.Columns;
        DeviceBuffer scratch = ScratchPool.Rent((products.Slices - 1) * (long)size * sizeof(float), "slices of a product");
        Floats others = scratch.As<float>((products.Slices - 1) * size);
        workers.For(products.Pieces(), (products, others, workers), static (piece, in s) =>
            ComputePiece(piece, in s.products, s.others.Pointer, s.workers));
        // Smaller pieces than elsewhere: an element is read once per slice.
        int stretch = Ceiling.Multiple(Math.Clamp(size / (2 * workers.Threads), LeastPiece / 4, PieceSize), 64);
        ForStretches(size, stretch, (c: products.C.View, others, size, slices: products.Slices), static (start, end, in s) =>
        {
            Span<float> sum = s.c.Slice(start, end - start).Span;
            for (int slice = 1; slice < s.slices; slice++)
                TensorPrimitives.Add(sum, s.others.Slice((slice - 1) * s.size + start, end - start).Span, sum);
        });
        ScratchPool.Return(scratch);
    }

    /// <summary>Computes a tile of c, or a slice of it: the first in c, another where it belongs in <paramref name="slices"/>.</summary>
    private static void ComputePiece(int piece, in Products s, float* slices, Workers workers)
    {
        var (index, row, column, rows, columns, slice) = s.Locate(piece);
        if (rows == 0 || columns == 0)
            return;
        Product p = s[index];
        float* a = p.A + (nint)row * s.A.LaneStride, c = p.C + (nint)row * s.Columns + column;
        if (slice > 0)
            c = slices + (c - s.C.View.Pointer) + (nint)(slice - 1) * s.Count * s.Rows * s.Columns;
        bool begun = slice == 0 && BeginTile(index, c, column, rows, columns, in s);
        MicroKernel kernel = s.Kernel;
        int depth = DepthOf(p.Inner), stripLength = Packing.StripLength(kernel.Rows, depth);
        bool packsA = s.PacksA(rows, columns, depth), packsB = s.PacksB(rows, depth);
        float* panel = Address(workers.ThreadScratch(
            (depth + kernel.Rows) * kernel.Columns + (packsA ? Ceiling.Divide(rows, kernel.Rows) * stripLength : 0)));
        float* edge = panel + depth * kernel.Columns, strips = edge + kernel.Rows * kernel.Columns;
        int first = slice * depth, end = s.Slices > 1 ? Math.Min(p.Inner, first + depth) : p.Inner;
        for (int k = first; k < end; k += depth)
        {
            int steps = Math.Min(depth, p.Inner - k), width;
            // the first block of the inner dimension stores, unless something was there: bias, or what is added to
            bool adds = begun || k > first;
            float* aBlock = a + (nint)k * s.A.InnerStride;
            (nint aRow, nint aInner) = packsA ? (1, kernel.Rows) : (s.A.LaneStride, s.A.InnerStride);
            if (packsA)
                Packing.PackStrips(aBlock, s.A.LaneStride, s.A.InnerStride, rows, steps, kernel.Rows, stripLength, strips);

            for (int j = 0; j < columns; j += width)
            {
                width = kernel.PanelWidth(columns - j);
                int lanes = Math.Min(width, columns - j);
                var multiply = kernel.OfWidth(width);
                nint at = (nint)(column + j) * s.B.LaneStride + (nint)k * s.B.InnerStride, fromInner = s.B.InnerStride;
                float* from = (float*)p.B + at;
                if (packsB || lanes < width)
                {
                    PackPanel(p.B, at, lanes, steps, width, in s, panel);
                    from = panel;
                    fromInner = width;
                }

                for (int r = 0; r < rows; r += kernel.Rows)
                {
                    float* to = c + (nint)r * s.Columns + j;
                    int height = Math.Min(kernel.Rows, rows - r);
                    // In place, a last strip of fewer rows begins as much higher: what is done already is computed again, and dropped.
                    int above = packsA ? 0 : kernel.Rows - height;
                    float* strip = packsA ? strips + (nint)(r / kernel.Rows) * stripLength : aBlock + (nint)(r - above) * s.A.LaneStride;
                    if (height == kernel.Rows && lanes == width)
                    {
                        if (adds)
                            MicroKernel.Prefetch(to, s.Columns, kernel.Rows, width);
                        multiply(steps, strip, aRow, aInner, from, fromInner, to, s.Columns, adds);
                        continue;
                    }

                    multiply(steps, strip, aRow, aInner, from, fromInner, edge, width, false);
                    WriteEdge(edge + above * width, width, height, lanes, to, s.Columns, adds);
                }
            }
        }

        EndTile(c, rows, columns, in s);
    }

    /// <summary>Writes what the products of a tile are added to: the bias, or zeros where there
    /// are no products (an expert without rows). False when they are to be stored.</summary>
    private static bool BeginTile(int product, float* c, int column, int rows, int columns, in Products s)
    {
        Floats bias = s.Epilogue.Bias;
        if (bias.IsNone && (s.C.Adds || s[product].Inner > 0))
            return s.C.Adds;
        for (int r = 0; r < rows; r++, c += s.Columns)
        {
            Span<float> row = new(c, columns);
            if (bias.IsNone)
                row.Clear();
            else
                bias.Slice((s.Ragged == Ragged.Rows ? product * s.Columns : 0) + column, columns).Span.CopyTo(row);
        }

        return true;
    }

    /// <summary>Applies the activation to a finished tile, and rounds it.</summary>
    private static void EndTile(float* c, int rows, int columns, in Products s)
    {
        Epilogue epilogue = s.Epilogue;
        bool isActivated = !epilogue.Activated.IsNone, rounds = epilogue.Precision == ElementType.Bfloat16;
        if (!isActivated && !rounds)
            return;
        Floats result = isActivated ? epilogue.Activated.Float32 : s.C.View;
        int at = (int)(c - s.C.View.Pointer);
        for (int r = 0; r < rows; r++, at += s.Columns)
        {
            if (isActivated && epilogue.Gate.IsNone)
                Map(epilogue.Activation, s.C.View, at, at + columns, result);
            else if (isActivated)
                Simd.Run(new SwiGluLoop(epilogue.Gate.Float32, s.C.View, result), at, at + columns);
            if (rounds)
                Simd.Run(new RoundLoop(result, result), at, at + columns);
        }
    }

    /// <summary>Packs a panel of b, which begins at value <paramref name="at"/>, whatever the type of its values.</summary>
    private static void PackPanel(nint b, nint at, int lanes, int steps, int width, in Products s, float* panel)
    {
        (nint lane, nint inner) = (s.B.LaneStride, s.B.InnerStride);
        if (s.B.Data.Type == ElementType.Float16)
            Packing.Pack((Half*)b + at, lane, inner, lanes, steps, width, panel);
        else if (s.B.Data.Type == ElementType.Bfloat16)
            Packing.Pack((ushort*)b + at, lane, inner, lanes, steps, width, panel);
        else
            Packing.Pack((float*)b + at, lane, inner, lanes, steps, width, panel);
    }

    /// <summary>Steps of a block of the inner dimension: blocks of equal size, whole transposed squares.</summary>
    internal static int DepthOf(int inner) => Ceiling.Multiple(Ceiling.Divide(inner, Math.Max(1, Ceiling.Divide(inner, MostDepth))), 8);

    /// <summary>y = or += x. x, y (height, width), in rows of xRow and yRow.</summary>
    private static void WriteEdge(float* x, nint xRow, int height, int width, float* y, nint yRow, bool adds)
    {
        for (int r = 0; r < height; r++, x += xRow, y += yRow)
        {
            ReadOnlySpan<float> from = new(x, width);
            Span<float> to = new(y, width);
            if (adds)
                TensorPrimitives.Add(to, from, to);
            else
                from.CopyTo(to);
        }
    }

    private static float* Address(Span<float> native) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(native));
}
