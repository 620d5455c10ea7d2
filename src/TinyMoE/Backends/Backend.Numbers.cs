using TinyMoE.Memory;

namespace TinyMoE.Backends;

// One-element tensors, wherever they lie, many in one pass.
public abstract partial class Backend
{
    /// <summary>y = Σ_i weights[i]·x[i], in order. x, weights (n numbers), y (1).</summary>
    public abstract void SumNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, Target y);

    /// <summary>y[i] = weights[i]·x[i], in order: of two that have the same place the second adds. x, weights, y (n numbers).</summary>
    public abstract void ScaleNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, ReadOnlySpan<Target> y);
}
