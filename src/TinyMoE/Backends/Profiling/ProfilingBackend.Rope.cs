using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void Rope(Values q, Values k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk)
    {
        (int B, int T, int H, int KvHeads, int D, int turned, _, _) = sizes;
        double queries = yq.IsNone ? 0 : 1.0 * B * T * H * D, keys = yk.IsNone ? 0 : 1.0 * B * T * KvHeads * D;
        using (Time(
            new(nameof(Rope), B * T, H, KvHeads, D), flops: 3 * (queries + keys),
            values: In(q, queries) + In(k, keys) + Area(T, turned) + Out(yq, queries) + Out(yk, keys)))
            device?.Rope(q, k, cos, sin, in sizes, inverse, yq, yk);
    }
}
