using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>Rows by token make every sum a gather in a fixed order: one thread owns each output row.</remarks>
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        ForRows(N, C, (x, tokens, N, C, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int n = start; n < end; n++)
            {
                int t = s.tokens.Span[n];
                if (t == Dropped)
                    Row(s.y, n, s.C).Clear();
                else
                    Row(s.x, t, s.C).CopyTo(Row(s.y, n, s.C));
            }
        });
    }

    /// <inheritdoc/>
    public override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx)
    {
        if (dx.IsNone)
            return;
        ForRows(T, C, (dy, tokenOffsets, rowsByToken, T, C, dx), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.T, s.C);
            for (int t = start; t < end; t++)
            {
                Span<float> dx = Row(s.dx.View, t, s.C);
                Span<int> rows = RowsOf(t, s.tokenOffsets, s.rowsByToken);
                if (!s.dx.Adds)
                {
                    if (rows.IsEmpty)
                    {
                        dx.Clear();
                        continue;
                    }

                    Row(s.dy, rows[0], s.C).CopyTo(dx);
                    rows = rows[1..];
                }

                foreach (int n in rows)
                    TensorPrimitives.Add(dx, Row(s.dy, n, s.C), dx);
            }
        });
    }

    /// <inheritdoc/>
    public override void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        ForRows(T, C, (x, w, tokenOffsets, rowsByToken, T, C, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.T, s.C);
            for (int t = start; t < end; t++)
            {
                Span<float> y = Row(s.y, t, s.C);
                Span<int> rows = RowsOf(t, s.tokenOffsets, s.rowsByToken);
                if (rows.IsEmpty)
                {
                    y.Clear();
                    continue;
                }

                TensorPrimitives.Multiply(Row(s.x, rows[0], s.C), s.w.Span[rows[0]], y);
                foreach (int n in rows[1..])
                    TensorPrimitives.FusedMultiplyAdd(Row(s.x, n, s.C), s.w.Span[n], y, y);
            }
        });
    }

    /// <inheritdoc/>
    public override void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw)
    {
        ForRows(N, C, (dy, x, w, tokens, N, C, dx, dw), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int n = start; n < end; n++)
            {
                int t = s.tokens.Span[n];
                if (t == Dropped)
                {
                    ClearUnlessAdds(s.dx, n, s.C);
                    ClearUnlessAdds(s.dw, n, 1);
                    continue;
                }

                Span<float> dy = Row(s.dy, t, s.C);
                float w = s.w.Span[n];
                if (!s.dw.IsNone)
                {
                    ref float dw = ref s.dw.View.Span[n];
                    float dot = TensorPrimitives.Dot<float>(Row(s.x, n, s.C), dy);
                    dw = s.dw.Adds ? dw + dot : dot;
                }

                if (s.dx.IsNone)
                    continue;
                Span<float> dx = Row(s.dx.View, n, s.C);
                if (s.dx.Adds)
                    TensorPrimitives.FusedMultiplyAdd(dy, w, dx, dx);
                else
                    TensorPrimitives.Multiply(dy, w, dx);
            }
        });
    }

    /// <summary>The gradient of an unassigned row.</summary>
    private static void ClearUnlessAdds(Target target, int n, int C)
    {
        if (!target.IsNone && !target.Adds)
            Row(target.View, n, C).Clear();
    }

    /// <summary>Row <paramref name="n"/> of a matrix with C columns.</summary>
    private static Span<float> Row(Floats matrix, int n, int C) => matrix.Slice(n * C, C).Span;

    /// <summary>The rows that carry token <paramref name="t"/>.</summary>
    private static Span<int> RowsOf(int t, Ints tokenOffsets, Ints rowsByToken)
    {
        int first = tokenOffsets.Span[t];
        return rowsByToken.Slice(first, tokenOffsets.Span[t + 1] - first).Span;
    }
}
