using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Products of experts are families of products whose rows, or steps, the offsets cut (Products). Of a
// bias and its gradient a piece is a block of columns of one expert, summed over its rows in order.
public sealed unsafe partial class CpuBackend
{
    private const int GroupedColumns = 64; // columns of one expert that a piece sums

    /// <inheritdoc/>
    protected override void GroupedMatMul(
        Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        Operand left = new(x, LaneStride: inputs, InnerStride: 1), right = new(w, LaneStride: inputs, InnerStride: 1);
        Multiply(
            new Products(Kernel, left, right, y, E, N, outputs, inputs)
            {
                Ragged = Ragged.Rows, Offsets = offsets, Epilogue = epilogue, Sequences = Sequences,
            });
    }

    /// <inheritdoc/>
    protected override void GroupedMatMulBackwardInput(Floats dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        Operand left = new(dy, LaneStride: outputs, InnerStride: 1), right = new(w, LaneStride: 1, InnerStride: inputs);
        Multiply(new Products(Kernel, left, right, dx, E, N, inputs, outputs) { Ragged = Ragged.Rows, Offsets = offsets });
    }

    /// <inheritdoc/>
    protected override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        Operand left = new(dy, LaneStride: 1, InnerStride: outputs), right = new(x, LaneStride: 1, InnerStride: inputs);
        Multiply(new Products(Kernel, left, right, dw, E, outputs, inputs, N) { Ragged = Ragged.Inner, Offsets = offsets });
    }

    /// <inheritdoc/>
    protected override void GatheredMatMul(
        Floats x, Ints tokens, Weights w, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target y,
        in Epilogue epilogue = default)
    {
        DeviceBuffer scratch = Gather(x, tokens, rows, N, inputs, out Floats moved);
        GroupedMatMul(moved, w, offsets, E, rows, inputs, outputs, y, epilogue);
        ScratchPool.Return(scratch);
    }

    /// <inheritdoc/>
    protected override void GatheredMatMulBackwardWeight(
        Floats dy, Floats x, Ints tokens, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target dw)
    {
        DeviceBuffer scratch = Gather(x, tokens, rows, N, inputs, out Floats moved);
        GroupedMatMulBackwardWeight(dy, moved, offsets, E, rows, inputs, outputs, dw);
        ScratchPool.Return(scratch);
    }

    /// <summary>The rows of the tokens in the order of the experts, as products here want them. x (N, C), moved (rows, C).</summary>
    private DeviceBuffer Gather(Floats x, Ints tokens, int rows, int N, int C, out Floats moved)
    {
        DeviceBuffer scratch = ScratchPool.Rent((long)rows * C * sizeof(float), "rows of tokens");
        moved = scratch.As<float>(rows * C);
        DispatchForward(x, tokens, tokenOffsets: default, rowsByToken: default, rows, N, C, moved);
        return scratch;
    }

    /// <inheritdoc/>
    protected override void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        int blocks = Ceiling.Divide(C, GroupedColumns);
        workers.For(E * blocks, (x, offsets, C, y, blocks), static (piece, in s) =>
        {
            var (e, block) = Math.DivRem(piece, s.blocks);
            int first = s.offsets.Pointer[e], column = block * GroupedColumns, columns = Math.Min(GroupedColumns, s.C - column);
            Floats sum = s.y.View.Slice(e * s.C + column, columns);
            if (!s.y.Adds)
                sum.Span.Clear();
            Simd.Run(new GroupedSumLoop(s.x.Pointer + column, columns, s.C, sum.Pointer), first, s.offsets.Pointer[e + 1], columns);
        });
    }

    /// <inheritdoc/>
    public override void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        ForRows(N, C, (x, offsets, E, C, y), static (start, end, in s) =>
        {
            int e = 0;
            for (int n = start; n < end; n++)
            {
                while (e < s.E && n >= s.offsets.Span[e + 1])
                    e++;
                Span<float> to = s.y.View.Slice(n * s.C, s.C).Span;
                if (e == s.E) // unassigned rows
                {
                    if (!s.y.Adds)
                        to.Clear();
                    continue;
                }

                Span<float> row = s.x.Slice(e * s.C, s.C).Span;
                if (s.y.Adds)
                    TensorPrimitives.Add(to, row, to);
                else
                    row.CopyTo(to);
            }
        });
    }

    /// <summary>Adds columns of rows, C apart. The processor does not foresee lines so far from each other: they are asked for.</summary>
    private readonly struct GroupedSumLoop(float* x, int columns, int C, float* sum) : IVectorLoop
    {
        private const int RowsBefore = 8;

        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* row = x + (nint)start * C, to = sum;
            int width = columns, step = C;
            for (int n = start; n < end; n++, row += step)
            {
                for (int c = 0; c < width; c += TSimd.Count)
                {
                    Ask(row + RowsBefore * (nint)step + c);
                    TSimd.Write(TSimd.Load(row + c, width - c), to + c, width - c, adds: true);
                }
            }
        }
    }

    /// <summary>Zeros in the rows behind the last expert's, of the sum and of what was activated; a sum that is added to stays.</summary>
    private void ClearUnassignedRows(in Products products)
    {
        int first = products.Offsets.Pointer[products.Count], rows = products.Rows - first;
        if (rows == 0 || products.C.Adds)
            return;
        ForRows(rows, products.Columns, (products, first), static (start, end, in s) =>
        {
            int columns = s.products.Columns;
            s.products.C.View.Slice((s.first + start) * columns, (end - start) * columns).Span.Clear();
            Floats activated = s.products.Epilogue.Activated.Float32;
            if (!activated.IsNone)
                activated.Slice((s.first + start) * columns, (end - start) * columns).Span.Clear();
        });
    }
}
