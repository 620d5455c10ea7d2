namespace TinyMoE.Backends;

// The optimiser.
public abstract partial class Backend
{
    /// <summary>y = √(Σ x²), summed in double precision in a fixed order. x (n), y (1).</summary>
    public abstract void Norm(Floats x, int n, Floats y);

    /// <summary>
    /// One AdamW update of w by g, with moments m and v (Loshchilov and Hutter 2019), and a copy
    /// of the new w in bfloat16 where wanted. All (n). norm (1), the length of the whole gradient,
    /// which is shortened to the clip; empty: no clip. Where it is not finite, nothing is written.
    /// </summary>
    public abstract void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default);
}

/// <summary>The numbers of one AdamW update: w −= rate·(m̂/(√v̂ + eps) + decay·w), m̂
/// = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), of the gradient g·min(1, clip/norm).</summary>
/// <param name="Step">t, from 1.</param>
/// <param name="LearningRate">rate.</param>
/// <param name="Beta1">β₁.</param>
/// <param name="Beta2">β₂.</param>
/// <param name="Epsilon">eps.</param>
/// <param name="WeightDecay">decay.</param>
/// <param name="Clip">The longest that a gradient stays; 0: no clip.</param>
public readonly record struct AdamWStep(
    int Step, float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, float Clip)
{
    /// <summary>What the gradient is multiplied by when its norm is <paramref name="norm"/>.</summary>
    public float GradientScale(float norm) => Clip > 0f && norm > Clip ? Clip / norm : 1f;
}
