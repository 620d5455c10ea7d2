using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>y[n] = table[ids[n]]. table (V, C), ids (N); result (N, C).</summary>
    public static Tensor Embedding(this Tape tape, Tensor table, Ints ids)
    {
        Check.That(nameof(Embedding), table.Shape.Rank == 2, $"the table is of rank 2, not {table.Shape}");
        int V = table.Shape[0], C = table.Shape[1], N = ids.Length;

        Tensor y = tape.New((N, C));                             // (N, C)
        tape.Backend.EmbeddingForward(table.Weights, ids, N, V, C, y.Data);

        // dtable[v] = Σ_{n: ids[n] = v} dy[n]
        return tape.Record(nameof(Embedding), y, () => tape.Backend.EmbeddingBackward(y.Grad, ids, N, V, C, table.GradTarget()));
    }
}
