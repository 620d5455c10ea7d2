using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Forward copies rows; the backward groups the rows by id first, so that one thread owns each row of the table and its sum has one order.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    protected override void EmbeddingForward(Weights table, Ints ids, int N, int V, int C, Floats y)
    {
        foreach (int id in ids.Span)
        {
            if ((uint)id >= (uint)V)
                throw new ArgumentException($"Embedding got id {id}; the table has {V} rows.");
        }

        if (table.Type is not (ElementType.Float32 or ElementType.Bfloat16 or ElementType.Float16) || table.LieApart)
            throw table.NotSupportedBy("cpu", nameof(EmbeddingForward));
        ForRows(N, C, (table, ids, C, y), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
                WidenRow(s.table, s.ids.Pointer[n], s.C, s.y.Pointer + (nint)n * s.C);
        });
    }

    /// <summary>Row <paramref name="id"/> of a table as float32. table (V, C), y (C).</summary>
    private static void WidenRow(Weights table, int id, int C, float* y)
    {
        nint row = table.Address + (nint)table.Type.BytesOf((long)id * C);
        if (table.Type == ElementType.Bfloat16)
            Packing.Pack((ushort*)row, laneStride: 1, innerStride: C, lanes: C, inner: 1, width: C, y);
        else if (table.Type == ElementType.Float16)
            Packing.Pack((Half*)row, laneStride: 1, innerStride: C, lanes: C, inner: 1, width: C, y);
        else
            new Span<float>((float*)row, C).CopyTo(new Span<float>(y, C));
    }

    /// <inheritdoc/>
    protected override void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable)
    {
        if (dtable.IsNone)
            return;

        // A stable counting sort groups the rows by id; then the rows of the table are
        // cut into pieces, and each row is summed by one thread in the order of n.
        DeviceBuffer buffer = Pool.Rent((long)(V + 1 + N) * sizeof(int));
        // after the sort, id v has rows starts[v] to starts[v + 1]
        Ints starts = buffer.As<int>(V + 1 + N).Slice(0, V + 1), rows = buffer.As<int>(V + 1 + N).Slice(V + 1, N);
        SortById(ids, starts, rows);

        int idsPerPiece = (int)Math.Clamp((long)PieceSize * V / (((long)N + V) * C), 1, V);
        workers.For(Ceiling.Divide(V, idsPerPiece), (dy, starts, rows, V, C, idsPerPiece, dtable), static (piece, in s) =>
        {
            int end = Math.Min(s.V, (piece + 1) * s.idsPerPiece);
            for (int id = piece * s.idsPerPiece; id < end; id++)
            {
                Span<float> sum = s.dtable.View.Slice(id * s.C, s.C).Span;
                if (!s.dtable.Adds)
                    sum.Clear();
                for (int i = s.starts.Pointer[id]; i < s.starts.Pointer[id + 1]; i++)
                    TensorPrimitives.Add<float>(sum, s.dy.Slice(s.rows.Pointer[i] * s.C, s.C).Span, sum);
            }
        });
        Pool.Return(buffer);
    }

    private static void SortById(Ints ids, Ints starts, Ints rows)
    {
        Span<int> next = starts.Span;
        next.Clear();
        foreach (int id in ids.Span)
            next[id + 1]++;
        for (int id = 1; id < next.Length; id++)
            next[id] += next[id - 1];
        for (int n = 0; n < ids.Length; n++)
            rows.Span[next[ids.Span[n]]++] = n;  // leaves next[id] at the start of id + 1
        next[..^1].CopyTo(next[1..]);
        next[0] = 0;
    }
}
