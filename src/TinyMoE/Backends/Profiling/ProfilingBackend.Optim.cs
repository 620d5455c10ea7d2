namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void Norm(Floats x, int n, Floats y)
    {
        using (Time(new(nameof(Norm), n), flops: 2.0 * n, values: n))
            device?.Norm(x, n, y);
    }

    /// <inheritdoc/>
    public override void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default)
    {
        using (Time(new(nameof(AdamW), n), flops: 16.0 * n, values: (copy.IsNone ? 7.0 : 7.5) * n))
            device?.AdamW(g, norm, in step, n, w, m, v, copy);
    }
}
