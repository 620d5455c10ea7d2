using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void Rope(
        Floats q, Floats k, Floats cos, Floats sin, int B, int T, int H, int KvHeads, int D, int start, bool inverse, Target yq, Target yk)
    {
        double queries = yq.IsNone ? 0 : 1.0 * B * T * H * D, keys = yk.IsNone ? 0 : 1.0 * B * T * KvHeads * D;
        using (Time(
            new(nameof(Rope), B * T, H, KvHeads, D), flops: 3 * (queries + keys),
            values: queries + keys + Area(T, D) + Out(yq, queries) + Out(yk, keys)))
            device?.Rope(q, k, cos, sin, B, T, H, KvHeads, D, start, inverse, yq, yk);
    }
}
