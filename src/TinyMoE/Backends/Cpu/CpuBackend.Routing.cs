using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <summary>Choices that one piece of <see cref="Assign"/> counts and places.</summary>
    private const int ChoicesPerPiece = 8 * 1024;

    /// <inheritdoc/>
    public override void TopK(Floats x, int T, int E, int K, Ints columns)
    {
        ForRows(T, E, (x, T, E, K, columns), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.T, s.E);
            for (int t = start; t < end; t++)
                TopK(s.x.Slice(t * s.E, s.E).Span, s.columns.Slice(t * s.K, s.K).Span);
        });
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        ForRows(T, K, (x, columns, T, E, K, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.T, s.K);
            for (int t = start; t < end; t++)
            {
                Span<float> x = s.x.Slice(t * s.E, s.E).Span, y = s.y.View.Slice(t * s.K, s.K).Span;
                Span<int> columns = s.columns.Slice(t * s.K, s.K).Span;
                for (int k = 0; k < columns.Length; k++)
                    y[k] = s.y.Adds ? y[k] + x[columns[k]] : x[columns[k]];
            }
        });
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        ForRows(T, E, (x, columns, T, E, K, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.T, s.E);
            for (int t = start; t < end; t++)
            {
                Span<float> x = s.x.Slice(t * s.K, s.K).Span, y = s.y.View.Slice(t * s.E, s.E).Span;
                Span<int> columns = s.columns.Slice(t * s.K, s.K).Span;
                if (!s.y.Adds)
                    y.Clear();
                for (int k = 0; k < columns.Length; k++)
                    y[columns[k]] += x[k];
            }
        });
    }

    /// <inheritdoc/>
    public override void Assign(Ints experts, int T, int E, int K, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets)
    {
        // A counting sort in three passes: each piece counts its choices by expert; the counts become each piece's first row of each expert;
        // each piece places its choices in order. Pieces are consecutive, hence stable.
        int N = T * K, pieces = Pieces(N, ChoicesPerPiece);
        DeviceBuffer scratch = Pool.Rent((long)pieces * E * sizeof(int));
        Ints next = scratch.As<int>(pieces * E);                 // (pieces, E)
        next.Span.Clear();
        workers.For(pieces, (experts, N, E, next), static (piece, in s) =>
        {
            Span<int> counts = s.next.Slice(piece * s.E, s.E).Span;
            foreach (int expert in ChoicesOf(s.experts, s.N, piece))
                counts[expert]++;
        });

        int row = 0;
        for (int e = 0; e < E; e++)
        {
            offsets.Span[e] = row;
            for (int i = e; i < next.Length; i += E)
                (next.Span[i], row) = (row, row + next.Span[i]);
        }

        offsets.Span[E] = row;
        workers.For(pieces, (experts, N, E, K, next, tokens, choices, rowsByToken), static (piece, in s) =>
        {
            Span<int> next = s.next.Slice(piece * s.E, s.E).Span;
            int choice = piece * ChoicesPerPiece;
            foreach (int expert in ChoicesOf(s.experts, s.N, piece))
            {
                int row = next[expert]++;
                s.tokens.Span[row] = choice / s.K;
                s.choices.Span[row] = choice;
                s.rowsByToken.Span[choice++] = row;
            }
        });

        for (int t = 0; t <= T; t++)
            tokenOffsets.Span[t] = t * K;
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void Gather(Floats x, Ints indices, int n, Floats y)
    {
        ForElements(n, (x, indices, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            Span<float> x = s.x.Span, y = s.y.Slice(start, length).Span;
            Span<int> indices = s.indices.Slice(start, length).Span;
            for (int i = 0; i < y.Length; i++)
                y[i] = x[indices[i]];
        });
    }

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y)
    {
        if (!y.Adds)
            y.View.Span.Clear();
        ForElements(n, (x, indices, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            Span<float> x = s.x.Slice(start, length).Span, y = s.y.View.Span;
            Span<int> indices = s.indices.Slice(start, length).Span;
            for (int i = 0; i < x.Length; i++)
                y[indices[i]] += x[i];
        });
    }

    /// <summary>Columns of the largest values, in order: each column takes its place among those kept so far, behind its equals.</summary>
    private static void TopK(ReadOnlySpan<float> x, Span<int> kept)
    {
        for (int e = 0; e < x.Length; e++)
        {
            int low = 0, high = Math.Min(e, kept.Length);
            if (high == kept.Length && !Above(x[e], x[kept[^1]]))
                continue;
            while (low < high)
            {
                int middle = (low + high) / 2;
                if (Above(x[e], x[kept[middle]]))
                    high = middle;
                else
                    low = middle + 1;
            }

            kept[low..^1].CopyTo(kept[(low + 1)..]);
            kept[low] = e;
        }
    }

    /// <summary>a > b, with NaN below everything else.</summary>
    private static bool Above(float a, float b) => a > b || (float.IsNaN(b) && !float.IsNaN(a));

    private static Span<int> ChoicesOf(Ints experts, int N, int piece) =>
        experts.Slice(piece * ChoicesPerPiece, Math.Min(ChoicesPerPiece, N - piece * ChoicesPerPiece)).Span;
}
