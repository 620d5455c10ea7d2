using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Matrix products in the manner of BLIS (Van Zee and van de Geijn 2015), with less packing. Each tile of c (<see cref="Products"/>) runs,
///   for each block of the inner dimension
///     for each panel of b, as wide as the micro-kernel: it fits the first-level cache with this depth
///       for each strip of a, as high as the micro-kernel: it streams past
///         the micro-kernel.
/// Operands are read where they lie wherever the micro-kernel can: a either way (it broadcasts single values), b where a step's columns
/// lie side by side. The tile packs the rest into its thread's scratch: panels of a transposed b, or of one in 16 bits, which is widened
/// there, and what is left at the edges. Nothing is packed into memory and no thread waits for another. Batches and experts are only more
/// tiles in the same work list.
/// </summary>
public sealed unsafe partial class CpuBackend
{
    private const int MostDepth = 256; // steps of the inner dimension that run at a time

    /// <summary>The micro-kernel of every product; tests choose narrower ones.</summary>
    internal MicroKernel Kernel { get; init; } = MicroKernel.Best;

    /// <inheritdoc/>
    protected override void MatMul(
        Floats a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default)
    {
        Operand left = transposeA ? new(a, LaneStride: 1, InnerStride: rows) : new(a, LaneStride: inner, InnerStride: 1);
        Operand right = transposeB ? new(b, LaneStride: inner, InnerStride: 1) : new(b, LaneStride: 1, InnerStride: columns);
        Multiply(new Products(Kernel, left, right, c, batch, rows, columns, inner) { Epilogue = epilogue });
    }

    private void Multiply(Products products)
    {
        if (products.C.IsNone || products.Count == 0 || products.Rows == 0 || products.Columns == 0)
            return;
        if (products.B.Data.Type is not (ElementType.Float32 or ElementType.Bfloat16 or ElementType.Float16)
            || (products.B.Data.LieApart && products.Ragged != Ragged.Rows))
            throw products.B.Data.NotSupportedBy("cpu", "A product");
        products = products.Cut();
        if (products.IsThin)
            MultiplyThin(products);
        else
            workers.For(products.Tiles(), (products, workers), static (tile, in s) => ComputeTile(tile, in s.products, s.workers));
        if (products.Ragged == Ragged.Rows)
            ClearUnassignedRows(products);
    }

    private static void ComputeTile(int tile, in Products s, Workers workers)
    {
        var (index, row, column) = s.Locate(tile);
        Product p = s[index];
        int rows = Math.Min(s.TileRows, p.Rows - row), columns = Math.Min(s.TileColumns, s.Columns - column);
        float* a = p.A + (nint)row * s.A.LaneStride, c = p.C + (nint)row * s.Columns + column;
        bool begun = BeginTile(index, c, column, rows, columns, in s);
        MicroKernel kernel = s.Kernel;
        int depth = DepthOf(p.Inner);
        // The kernel always computes a whole strip of rows. Where a product has fewer, its rows are packed into a
        // strip with zeros below them; where only the last strip has fewer, it begins higher up instead (below).
        bool isShort = row + rows < kernel.Rows;
        float* panel = Address(workers.ThreadScratch(depth * (kernel.Columns + kernel.Rows) + kernel.Rows * kernel.Columns));
        float* strip = panel + depth * kernel.Columns, edge = strip + depth * kernel.Rows;
        for (int k = 0; k < p.Inner; k += depth)
        {
            int steps = Math.Min(depth, p.Inner - k), width;
            // the first block of the inner dimension stores, unless something was there: bias, or what is added to
            bool adds = begun || k > 0;
            float* aBlock = a + (nint)k * s.A.InnerStride;
            if (isShort)
                Packing.Pack(aBlock, s.A.LaneStride, s.A.InnerStride, rows, steps, kernel.Rows, strip);

            for (int j = 0; j < columns; j += width)
            {
                width = kernel.PanelWidth(columns - j);
                int lanes = Math.Min(width, columns - j);
                var multiply = kernel.OfWidth(width);
                nint at = (nint)(column + j) * s.B.LaneStride + (nint)k * s.B.InnerStride, fromInner = s.B.InnerStride;
                // b where it lies, or a packed copy of this panel. A copy pays where b would be read across its lines (transposed), where
                // the panel is not full, and where so many rows follow that a dense panel, which has no conflicts in the cache, repays it.
                float* from = (float*)p.B + at;
                if (s.IsNarrow)
                {
                    if (s.B.Data.Type == ElementType.Float16)
                        Packing.Pack((Half*)p.B + at, s.B.LaneStride, s.B.InnerStride, lanes, steps, width, panel);
                    else
                        Packing.Pack((ushort*)p.B + at, s.B.LaneStride, s.B.InnerStride, lanes, steps, width, panel);
                    from = panel;
                    fromInner = width;
                }
                else if (s.B.LiesAlongInner || lanes < width || rows >= Products.RowsWorthPacking)
                {
                    Packing.Pack(from, s.B.LaneStride, s.B.InnerStride, lanes, steps, width, panel);
                    from = panel;
                    fromInner = width;
                }

                for (int r = 0; r < rows; r += kernel.Rows)
                {
                    float* to = c + (nint)r * s.Columns + j;
                    int height = Math.Min(kernel.Rows, rows - r);
                    if (height == kernel.Rows && lanes == width)
                    {
                        multiply(steps, aBlock + (nint)r * s.A.LaneStride, s.A.LaneStride, s.A.InnerStride, from, fromInner, to, s.Columns,
                            adds);
                        continue;
                    }

                    // the last strip begins as much higher: rows that are done already are computed again and dropped
                    int above = isShort ? 0 : kernel.Rows - height;
                    if (isShort)
                        multiply(steps, strip, 1, kernel.Rows, from, fromInner, edge, width, false);
                    else
                        multiply(steps, aBlock + (nint)(r - above) * s.A.LaneStride, s.A.LaneStride, s.A.InnerStride, from, fromInner, edge,
                            width, false);
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

    /// <summary>Steps of a block of the inner dimension: blocks of equal size, whole transposed squares.</summary>
    private static int DepthOf(int inner) => Ceiling.Multiple(Ceiling.Divide(inner, Math.Max(1, Ceiling.Divide(inner, MostDepth))), 8);

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
