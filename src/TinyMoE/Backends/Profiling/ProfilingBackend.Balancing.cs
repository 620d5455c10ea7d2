namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void AssignBalanced(Floats scores, int T, int E, Ints choices)
    {
        using (Time(new(nameof(AssignBalanced), T, E), flops: Area(T, E), values: Area(T, E) + T))
            device?.AssignBalanced(scores, T, E, choices);
    }

    /// <inheritdoc/>
    public override void Sinkhorn(Floats logits, int T, int E, Floats plan)
    {
        using (Time(new(nameof(Sinkhorn), T, E), flops: 4 * Area(T, E), values: 2 * Area(T, E)))
            device?.Sinkhorn(logits, T, E, plan);
    }

    /// <inheritdoc/>
    public override void StepBias(Floats counts, int E, float rate, Floats bias)
    {
        using (Time(new(nameof(StepBias), E), flops: 3.0 * E, values: 3.0 * E))
            device?.StepBias(counts, E, rate, bias);
    }
}
