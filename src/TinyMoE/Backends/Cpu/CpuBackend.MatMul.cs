using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Matrix products after BLIS (Van Zee and van de Geijn 2015). All of b is packed once into panels that every tile shares; then each tile of c runs,
///   for each block of the inner dimension (panel of b: first-level cache; rows of a: second-level cache)
///     for each panel of b
///       for each strip of rows: the micro-kernel.
/// Batches and experts are only more tiles in the same list (<see cref="Products"/>). Row-major rows of a are read where they lie; transposed ones are packed.
/// </summary>
public sealed unsafe partial class CpuBackend
{
    /// <summary>The micro-kernel of every product; tests choose narrower ones.</summary>
    internal MicroKernel Kernel { get; init; } = MicroKernel.Best;

    /// <inheritdoc/>
    public override void MatMul(Floats a, bool transposeA, Floats b, bool transposeB, int batch, int rows, int columns, int inner, Target c) =>
        Multiply(new Products(Kernel, a, b, c, batch, rows, columns, inner)
        {
            AStrides = transposeA ? (1, rows) : (inner, 1),
            BStrides = transposeB ? (1, inner) : (columns, 1),
        });

    /// <inheritdoc/>
    public override void GroupedMatMul(Floats x, Floats w, Ints offsets, int E, int N, int inputs, int outputs, Target y) =>
        Multiply(new Products(Kernel, x, w, y, E, Rows: N, Columns: outputs, Inner: inputs)
        {
            AStrides = (inputs, 1),
            BStrides = (1, inputs),
            Ragged = Ragged.Rows,
            Offsets = offsets,
        });

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Floats dy, Floats w, Ints offsets, int E, int N, int inputs, int outputs, Target dx) =>
        Multiply(new Products(Kernel, dy, w, dx, E, Rows: N, Columns: inputs, Inner: outputs)
        {
            AStrides = (outputs, 1),
            BStrides = (inputs, 1),
            Ragged = Ragged.Rows,
            Offsets = offsets,
        });

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw) =>
        Multiply(new Products(Kernel, dy, x, dw, E, Rows: outputs, Columns: inputs, Inner: N)
        {
            AStrides = (1, outputs),
            BStrides = (inputs, 1),
            Ragged = Ragged.Inner,
            Offsets = offsets,
        });

    private void Multiply(Products products)
    {
        if (products.C.IsNone || products.Count == 0 || products.Rows == 0 || products.Columns == 0)
            return;
        products = products.Cut();
        DeviceBuffer? packed = null;
        if (!products.IsThin(products.Rows))
        {
            packed = Pool.Rent((long)products.PackedLength * sizeof(float));
            products = products with { Packed = packed.As<float>(products.PackedLength) };
            workers.For(Pieces(products.Count * products.PanelsPerProduct, products.PanelsPerPiece), in products, PackPanels);
        }

        workers.For(products.Tiles(), (products, workers), static (tile, in s) => ComputeTile(tile, in s.products, s.workers));
        if (packed is not null)
            Pool.Return(packed);
    }

    private static void PackPanels(int piece, in Products s)
    {
        int width = s.Kernel.Columns, total = s.Count * s.PanelsPerProduct;
        for (int i = piece * s.PanelsPerPiece; i < Math.Min(total, (piece + 1) * s.PanelsPerPiece); i++)
        {
            var (index, panel) = Math.DivRem(i, s.PanelsPerProduct);
            Product p = s[index];
            if (p.Rows == 0 || s.IsThin(p.Rows))
                continue;
            int column = panel * width;
            Packing.Pack(
                p.B + (nint)column * s.BStrides.Column, s.BStrides.Column, s.BStrides.Inner, Math.Min(width, s.Columns - column), p.Inner, width, p.Panels + (nint)column * p.Inner);
        }
    }

    private static void ComputeTile(int tile, in Products s, Workers workers)
    {
        var (index, row, column) = s.Locate(tile);
        Product p = s[index];
        int rows = Math.Min(s.TileRows, p.Rows - row), columns = Math.Min(s.TileColumns, s.Columns - column);
        float* a = p.A + (nint)row * s.AStrides.Row;
        float* c = p.C + (nint)row * s.Columns + column;
        if (s.IsThin(p.Rows))
        {
            for (int r = 0; r < rows; r++)
                DotRows(a + (nint)r * s.AStrides.Row, p.B + (nint)column * s.BStrides.Column, s.BStrides.Column, columns, p.Inner, c + (nint)r * s.Columns, s.C.Adds);
            return;
        }

        if (p.Inner == 0 && !s.C.Adds) // an expert without rows: the sum over nothing
        {
            for (int r = 0; r < rows; r++)
                new Span<float>(c + (nint)r * s.Columns, columns).Clear();
        }

        MicroKernel kernel = s.Kernel;
        float* strips = Address(workers.ThreadScratch((s.TileRows + kernel.Columns) * kernel.Depth)); // of a; behind them, room for a tile at the edge
        float* edge = strips + s.TileRows * kernel.Depth;
        for (int k = 0; k < p.Inner; k += kernel.Depth)
        {
            int depth = Math.Min(kernel.Depth, p.Inner - k);
            float* aBlock = a + (nint)k * s.AStrides.Inner;
            int inPlace = s.AStrides.Inner == 1 ? rows / kernel.Rows * kernel.Rows : 0; // rows before this one are read where they lie
            for (int r = inPlace; r < rows; r += kernel.Rows)
                Packing.Pack(aBlock + (nint)r * s.AStrides.Row, s.AStrides.Row, s.AStrides.Inner, Math.Min(kernel.Rows, rows - r), depth, kernel.Rows, strips + r * depth);

            bool adds = s.C.Adds || k > 0;
            for (int j = 0; j < columns; j += kernel.Columns)
            {
                float* panel = p.Panels + (nint)(column + j) * p.Inner + (nint)k * kernel.Columns;
                int width = Math.Min(kernel.Columns, columns - j);
                for (int r = 0; r < rows; r += kernel.Rows)
                {
                    bool lies = r < inPlace;
                    float* strip = lies ? aBlock + (nint)r * s.AStrides.Row : strips + r * depth;
                    nint stripRow = lies ? s.AStrides.Row : 1, stripInner = lies ? 1 : kernel.Rows;
                    float* to = c + (nint)r * s.Columns + j;
                    int height = Math.Min(kernel.Rows, rows - r);
                    if (height == kernel.Rows && width == kernel.Columns)
                    {
                        kernel.Multiply(depth, strip, stripRow, stripInner, panel, to, s.Columns, adds);
                    }
                    else
                    {
                        kernel.Multiply(depth, strip, stripRow, stripInner, panel, edge, kernel.Columns, false);
                        WriteEdge(edge, kernel.Columns, height, width, to, s.Columns, adds);
                    }
                }
            }
        }
    }

    /// <summary>y = or += x. x, y (height, width), in rows of xRow and yRow.</summary>
    private static void WriteEdge(float* x, nint xRow, int height, int width, float* y, nint yRow, bool adds)
    {
        for (int r = 0; r < height; r++, x += xRow, y += yRow)
        {
            for (int j = 0; j < width; j++)
                y[j] = adds ? y[j] + x[j] : x[j];
        }
    }

    /// <summary>c[j] = or += a·b[j], four rows of b at a time. a (inner), b (columns, inner) in rows of bRow, c (columns).</summary>
    private static void DotRows(float* a, float* b, nint bRow, int columns, int inner, float* c, bool adds)
    {
        float* sums = stackalloc float[4];
        for (int j = 0; j < columns; j += 4)
        {
            int last = Math.Min(3, columns - 1 - j);
            float* b0 = b + j * bRow;
            float* b1 = b0 + Math.Min(1, last) * bRow;
            float* b2 = b0 + Math.Min(2, last) * bRow;
            float* b3 = b0 + last * bRow;
            Vector<float> c0 = default, c1 = default, c2 = default, c3 = default;
            int k = 0;
            for (; k + Vector<float>.Count <= inner; k += Vector<float>.Count)
            {
                Vector<float> x = Vector.Load(a + k);
                c0 = Vector.MultiplyAddEstimate(x, Vector.Load(b0 + k), c0);
                c1 = Vector.MultiplyAddEstimate(x, Vector.Load(b1 + k), c1);
                c2 = Vector.MultiplyAddEstimate(x, Vector.Load(b2 + k), c2);
                c3 = Vector.MultiplyAddEstimate(x, Vector.Load(b3 + k), c3);
            }

            (sums[0], sums[1], sums[2], sums[3]) = (Vector.Sum(c0), Vector.Sum(c1), Vector.Sum(c2), Vector.Sum(c3));
            for (; k < inner; k++)
            {
                sums[0] += a[k] * b0[k];
                sums[1] += a[k] * b1[k];
                sums[2] += a[k] * b2[k];
                sums[3] += a[k] * b3[k];
            }

            for (int i = 0; i <= last; i++)
                c[j + i] = adds ? c[j + i] + sums[i] : sums[i];
        }
    }

    private static float* Address(Span<float> native) => (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(native));
}
