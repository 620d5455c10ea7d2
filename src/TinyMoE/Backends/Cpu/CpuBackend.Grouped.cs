using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// What experts need beside products: a bias and its gradient. A piece is a block of columns of one expert, summed over its rows in order.
public sealed unsafe partial class CpuBackend
{
    private const int GroupedColumns = 64; // columns of one expert that a piece sums

    /// <inheritdoc/>
    public override void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        int blocks = Pieces(C, GroupedColumns);
        workers.For(E * blocks, (x, offsets, C, y, blocks), static (piece, in s) =>
        {
            var (e, block) = Math.DivRem(piece, s.blocks);
            int column = block * GroupedColumns, columns = Math.Min(GroupedColumns, s.C - column);
            Span<float> sum = s.y.View.Slice(e * s.C + column, columns).Span;
            if (!s.y.Adds)
                sum.Clear();
            for (int n = s.offsets.Span[e]; n < s.offsets.Span[e + 1]; n++)
                TensorPrimitives.Add(sum, s.x.Slice(n * s.C + column, columns).Span, sum);
        });
    }

    /// <inheritdoc/>
    public override void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        ForRows(N, C, (x, offsets, E, N, C, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            int e = 0;
            for (int n = start; n < end; n++)
            {
                while (e < s.E && n >= s.offsets.Span[e + 1])
                    e++;
                Span<float> to = s.y.View.Slice(n * s.C, s.C).Span;
                if (e == s.E) // the rows of nobody
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
}
