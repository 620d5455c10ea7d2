namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void AssignBalanced(Floats scores, int N, int E, Ints choices)
    {
        using (Time(new(nameof(AssignBalanced), N, E), flops: Area(N, E), values: Area(N, E) + N))
            device?.AssignBalanced(scores, N, E, choices);
    }

    /// <inheritdoc/>
    public override void Sinkhorn(Floats logits, int N, int E, Floats plan)
    {
        using (Time(new(nameof(Sinkhorn), N, E), flops: 4 * Area(N, E), values: 2 * Area(N, E)))
            device?.Sinkhorn(logits, N, E, plan);
    }

    /// <inheritdoc/>
    public override void StepBias(Floats counts, int E, float rate, Floats bias)
    {
        using (Time(new(nameof(StepBias), E), flops: 3.0 * E, values: 3.0 * E))
            device?.StepBias(counts, E, rate, bias);
    }
}
