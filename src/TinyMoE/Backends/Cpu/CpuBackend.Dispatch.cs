using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>Rows by token make every sum a gather in a fixed order: one thread owns each output row.</remarks>
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    protected override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y)
    {
        ForRows(rows, C, (x, tokens, C, y), static (start, end, in s) =>
        {
            for (int r = start; r < end; r++)
            {
                int n = s.tokens.Span[r];
                if (n == Dropped)
                    Row(s.y, r, s.C).Clear();
                else
                    Row(s.x, n, s.C).CopyTo(Row(s.y, r, s.C));
            }
        });
    }

    /// <inheritdoc/>
    protected override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx)
    {
        if (dx.IsNone)
            return;
        ForRows(N, C, (dy, tokenOffsets, rowsByToken, C, dx), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> dx = Row(s.dx.View, n, s.C);
                Span<int> own = RowsOf(n, s.tokenOffsets, s.rowsByToken);
                if (!s.dx.Adds)
                {
                    if (own.IsEmpty)
                    {
                        dx.Clear();
                        continue;
                    }

                    Row(s.dy, own[0], s.C).CopyTo(dx);
                    own = own[1..];
                }

                foreach (int r in own)
                    TensorPrimitives.Add(dx, Row(s.dy, r, s.C), dx);
            }
        });
    }

    /// <inheritdoc/>
    protected override void CombineForward(Floats x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y)
    {
        ForRows(N, C, (x, gates, tokenOffsets, rowsByToken, C, y), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> y = Row(s.y, n, s.C);
                Span<int> own = RowsOf(n, s.tokenOffsets, s.rowsByToken);
                if (own.IsEmpty)
                {
                    y.Clear();
                    continue;
                }

                TensorPrimitives.Multiply(Row(s.x, own[0], s.C), s.gates.Span[own[0]], y);
                foreach (int r in own[1..])
                    TensorPrimitives.FusedMultiplyAdd(Row(s.x, r, s.C), s.gates.Span[r], y, y);
            }
        });
    }

    /// <inheritdoc/>
    protected override void CombineBackward(
        Floats dy, Floats x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates)
    {
        ForRows(rows, C, (dy, x, gates, tokens, C, dx, dgates), static (start, end, in s) =>
        {
            for (int r = start; r < end; r++)
            {
                int n = s.tokens.Span[r];
                if (n == Dropped)
                {
                    ClearUnlessAdds(s.dx, r, s.C);
                    ClearUnlessAdds(s.dgates, r, 1);
                    continue;
                }

                Span<float> dy = Row(s.dy, n, s.C);
                float gate = s.gates.Span[r];
                if (!s.dgates.IsNone)
                {
                    ref float dgate = ref s.dgates.View.Span[r];
                    float dot = TensorPrimitives.Dot<float>(Row(s.x, r, s.C), dy);
                    dgate = s.dgates.Adds ? dgate + dot : dot;
                }

                if (s.dx.IsNone)
                    continue;
                Span<float> dx = Row(s.dx.View, r, s.C);
                if (s.dx.Adds)
                    TensorPrimitives.FusedMultiplyAdd(dy, gate, dx, dx);
                else
                    TensorPrimitives.Multiply(dy, gate, dx);
            }
        });
    }

    /// <summary>The gradient of an unassigned row.</summary>
    private static void ClearUnlessAdds(Target target, int r, int C)
    {
        if (!target.IsNone && !target.Adds)
            Row(target.View, r, C).Clear();
    }

    /// <summary>Row <paramref name="r"/> of a matrix with C columns.</summary>
    private static Span<float> Row(Floats matrix, int r, int C) => matrix.Slice(r * C, C).Span;

    /// <summary>The rows that carry token <paramref name="n"/>.</summary>
    private static Span<int> RowsOf(int n, Ints tokenOffsets, Ints rowsByToken)
    {
        int first = tokenOffsets.Span[n];
        return rowsByToken.Slice(first, tokenOffsets.Span[n + 1] - first).Span;
    }
}
