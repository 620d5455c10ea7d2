using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Matrix products after BLIS (Van Zee and van de Geijn 2015). First, operands are packed into the strips that the micro-kernel reads: b always, and shared
/// by all rows; a only when it is transposed, since rows along the inner dimension can be read where they lie. Then each tile of c runs,
///   for each block of the inner dimension (a strip of b: first-level cache; the tile's rows of a: second-level cache)
///     for each strip of b
///       for each strip of a: the micro-kernel.
/// Batches and experts are only more tiles in the same work list (<see cref="Products"/>).
/// </summary>
public sealed unsafe partial class CpuBackend
{
    private const int PackDepth = 256, PackLanes = 128; // what one piece of packing covers

    /// <summary>The micro-kernel of every product; tests choose narrower ones.</summary>
    internal MicroKernel Kernel { get; init; } = MicroKernel.Best;

    /// <inheritdoc/>
    public override void MatMul(Floats a, bool transposeA, Floats b, bool transposeB, int batch, int rows, int columns, int inner, Target c)
    {
        Operand left = transposeA ? new(a, LaneStride: 1, InnerStride: rows) : new(a, LaneStride: inner, InnerStride: 1);
        Operand right = transposeB ? new(b, LaneStride: inner, InnerStride: 1) : new(b, LaneStride: 1, InnerStride: columns);
        Multiply(new Products(Kernel, left, right, c, batch, rows, columns, inner));
    }

    /// <inheritdoc/>
    public override void GroupedMatMul(Floats x, Floats w, Ints offsets, int E, int N, int inputs, int outputs, Target y)
    {
        Operand left = new(x, LaneStride: inputs, InnerStride: 1), right = new(w, LaneStride: inputs, InnerStride: 1);
        Multiply(new Products(Kernel, left, right, y, E, N, outputs, inputs) { Ragged = Ragged.Rows, Offsets = offsets });
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Floats dy, Floats w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        Operand left = new(dy, LaneStride: outputs, InnerStride: 1), right = new(w, LaneStride: 1, InnerStride: inputs);
        Multiply(new Products(Kernel, left, right, dx, E, N, inputs, outputs) { Ragged = Ragged.Rows, Offsets = offsets });
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        Operand left = new(dy, LaneStride: 1, InnerStride: outputs), right = new(x, LaneStride: 1, InnerStride: inputs);
        Multiply(new Products(Kernel, left, right, dw, E, outputs, inputs, N) { Ragged = Ragged.Inner, Offsets = offsets });
    }

    private void Multiply(Products products)
    {
        if (products.C.IsNone || products.Count == 0 || products.Rows == 0 || products.Columns == 0)
            return;
        products = products.Cut();
        DeviceBuffer? packedA = null, packedB = null;
        if (!products.A.LiesAlongInner)
        {
            packedA = Pool.Rent((long)products.PackedLengthOfA * sizeof(float));
            products = products with { A = products.A with { Packed = packedA.As<float>(products.PackedLengthOfA) } };
            workers.For(products.Count * PackPieces(products.Inner, products.Rows, Kernel.Rows), in products, static (piece, in s) =>
            {
                int pieces = PackPieces(s.Inner, s.Rows, s.Kernel.Rows);
                Product p = s[piece / pieces];
                PackPiece(piece % pieces, s.A, p.A, p.PackedA, s.Rows, p.Inner, s.Kernel.Rows);
            });
        }

        if (!products.IsThin)
        {
            packedB = Pool.Rent((long)products.PackedLengthOfB * sizeof(float));
            products = products with { B = products.B with { Packed = packedB.As<float>(products.PackedLengthOfB) } };
            workers.For(products.Count * PackPieces(products.Inner, products.Columns, Kernel.Columns), in products, static (piece, in s) =>
            {
                int pieces = PackPieces(s.Inner, s.Columns, s.Kernel.Columns);
                Product p = s[piece / pieces];
                if (p.Rows > 0)
                    PackPiece(piece % pieces, s.B, p.B, p.PackedB, s.Columns, p.Inner, s.Kernel.Columns);
            });
        }

        workers.For(products.Tiles(), (products, workers), static (tile, in s) => ComputeTile(tile, in s.products, s.workers));
        if (packedA is not null)
            Pool.Return(packedA);
        if (packedB is not null)
            Pool.Return(packedB);
    }

    /// <summary>Into how many pieces the packing of one operand is cut: <see cref="PackDepth"/> deep, <see cref="PackLanes"/> lanes wide, in whole strips.</summary>
    private static int PackPieces(int inner, int lanes, int width) => Pieces(inner, PackDepth) * Pieces(lanes, PackLanes / width * width);

    /// <summary>Packs a piece of one operand, read along its rows whichever way they lie: where they cross the strips, a short stretch of each strip in turn.</summary>
    private static void PackPiece(int piece, in Operand operand, float* source, float* packed, int lanes, int inner, int width)
    {
        int stretch = operand.LiesAlongInner ? PackDepth : 32;
        int pieceLanes = PackLanes / width * width;
        var (depth, across) = Math.DivRem(piece, Pieces(lanes, pieceLanes));
        int end = Math.Min(inner, (depth + 1) * PackDepth), endLane = Math.Min(lanes, (across + 1) * pieceLanes);
        for (int k = depth * PackDepth; k < end; k += stretch)
        {
            for (int lane = across * pieceLanes; lane < endLane; lane += width)
            {
                float* from = source + (nint)lane * operand.LaneStride + (nint)k * operand.InnerStride;
                float* to = packed + (nint)lane * inner + (nint)k * width;
                Packing.Pack(from, operand.LaneStride, operand.InnerStride, Math.Min(width, lanes - lane), Math.Min(stretch, end - k), width, to);
            }
        }
    }

    private static void ComputeTile(int tile, in Products s, Workers workers)
    {
        var (index, row, column) = s.Locate(tile);
        Product p = s[index];
        int rows = Math.Min(s.TileRows, p.Rows - row), columns = Math.Min(s.TileColumns, s.Columns - column);
        float* a = p.A + (nint)row * s.A.LaneStride;
        float* c = p.C + (nint)row * s.Columns + column;
        if (s.IsThin)
        {
            for (int r = 0; r < rows; r++)
                DotRows(a + (nint)r * p.Inner, p.B + (nint)column * p.Inner, columns, p.Inner, c + (nint)r * s.Columns, s.C.Adds);
            return;
        }

        if (p.Inner == 0 && !s.C.Adds) // an expert without rows: the sum over nothing
        {
            for (int r = 0; r < rows; r++)
                new Span<float>(c + (nint)r * s.Columns, columns).Clear();
        }

        MicroKernel kernel = s.Kernel;
        float* lastStrip = Address(workers.ThreadScratch(kernel.Rows * (kernel.Depth + kernel.Columns))); // for the last rows, where they fill no strip
        float* edge = lastStrip + kernel.Rows * kernel.Depth; // for a tile of the micro-kernel that is not all inside c
        for (int k = 0; k < p.Inner; k += kernel.Depth)
        {
            int depth = Math.Min(kernel.Depth, p.Inner - k), lastRows = rows % kernel.Rows;
            bool adds = s.C.Adds || k > 0;
            if (lastRows > 0 && s.A.LiesAlongInner)
                Packing.Pack(a + (nint)(rows - lastRows) * s.A.LaneStride + k, s.A.LaneStride, 1, lastRows, depth, kernel.Rows, lastStrip);

            for (int j = 0; j < columns; j += kernel.Columns)
            {
                float* panel = p.PackedB + (nint)(column + j) * p.Inner + (nint)k * kernel.Columns;
                int width = Math.Min(kernel.Columns, columns - j);
                for (int r = 0; r < rows; r += kernel.Rows)
                {
                    float* to = c + (nint)r * s.Columns + j;
                    int height = Math.Min(kernel.Rows, rows - r);
                    bool whole = height == kernel.Rows && width == kernel.Columns;
                    float* target = whole ? to : edge;
                    nint targetRow = whole ? s.Columns : kernel.Columns;
                    bool targetAdds = whole && adds;
                    if (!s.A.LiesAlongInner)
                        kernel.Multiply(depth, p.PackedA + (nint)(row + r) * p.Inner + (nint)k * kernel.Rows, 1, kernel.Rows, panel, target, targetRow, targetAdds);
                    else if (height < kernel.Rows)
                        kernel.Multiply(depth, lastStrip, 1, kernel.Rows, panel, target, targetRow, targetAdds);
                    else
                        kernel.Multiply(depth, a + (nint)r * s.A.LaneStride + k, s.A.LaneStride, 1, panel, target, targetRow, targetAdds);
                    if (!whole)
                        WriteEdge(edge, kernel.Columns, height, width, to, s.Columns, adds);
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

    /// <summary>c[j] = or += a·b[j], four rows of b at a time. a (inner), b (columns, inner), c (columns).</summary>
    private static void DotRows(float* a, float* b, int columns, int inner, float* c, bool adds)
    {
        float* sums = stackalloc float[4];
        for (int j = 0; j < columns; j += 4)
        {
            int last = Math.Min(3, columns - 1 - j);
            float* b0 = b + (nint)j * inner;
            float* b1 = b0 + Math.Min(1, last) * (nint)inner;
            float* b2 = b0 + Math.Min(2, last) * (nint)inner;
            float* b3 = b0 + last * (nint)inner;
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
