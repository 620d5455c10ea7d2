using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void EmbeddingForward(Weights table, Ints ids, int N, int V, int C, Values y)
    {
        using (Time(new(nameof(EmbeddingForward), N, C), flops: 0, values: Values(table, Area(N, C)) + In(y, Area(N, C)) + N))
            device?.EmbeddingForward(table, ids, N, V, C, y);
    }

    /// <inheritdoc/>
    public override void EmbeddingBackward(Values dy, Ints ids, int N, int V, int C, Target dtable)
    {
        using (Time(new(nameof(EmbeddingBackward), N, C), flops: Area(N, C), values: In(dy, Area(N, C)) + N + Out(dtable, Area(V, C))))
            device?.EmbeddingBackward(dy, ids, N, V, C, dtable);
    }
}
