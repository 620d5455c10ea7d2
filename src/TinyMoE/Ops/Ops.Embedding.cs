using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>y[n] = table[ids[n]], in <paramref name="type"/>; in bfloat16 from the values that the table has in it, where it has any.
    /// table (V, C), ids (N); result (N, C).</summary>
    public static Tensor Embedding(this Tape tape, Tensor table, Ints ids, ElementType type = ElementType.Float32)
    {
        Check.That(nameof(Embedding), table.Shape.Rank == 2, $"the table is of rank 2, not {table.Shape}");
        int V = table.Shape[0], C = table.Shape[1], N = ids.Length;

        Tensor y = tape.New((N, C), type);                             // (N, C)
        tape.Backend.EmbeddingForward(WeightsOf(table, narrow: type == ElementType.Bfloat16), ids, N, V, C, y.Values);

        // dtable[v] = Σ_{n: ids[n] = v} dy[n]
        return tape.Record(nameof(Embedding), y, table, ids, static (y, table, ids) => y.Tape.Backend.EmbeddingBackward(
            y.GradValues, ids, ids.Length, table.Shape[0], table.Shape[1], table.GradTarget()));
    }
}
