using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Rows of a table by id.
public abstract partial class Backend
{
    /// <summary>y[n] = table[ids[n]]. table (V, C), ids (N), y (N, C).</summary>
    public abstract void EmbeddingForward(Weights table, Ints ids, int N, int V, int C, Values y);

    /// <summary>dtable[v] = Σ_{n: ids[n] = v} dy[n], zero for an id that does not occur. dy (N, C), ids (N), dtable (V, C).</summary>
    public abstract void EmbeddingBackward(Values dy, Ints ids, int N, int V, int C, Target dtable);
}
