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
    /// <summary>
    /// Where the device has <see cref="Factors"/> (3), for an update that is recorded and done again in other steps; empty: they go with
    /// the call.
    /// </summary>
    public Floats FactorsPlace { get; init; }

    /// <summary>
    /// All that changes from step to step, since m̂/(√v̂ + eps) = m·(1/c₁)/(√v·(1/√c₂) + eps) with cᵢ = 1 − βᵢᵗ: rate/c₁, 1/√c₂ and
    /// 1 − rate·decay, the share of w that is kept.
    /// </summary>
    public (float Rate, float Root, float Keep) Factors
    {
        get
        {
            double correction1 = 1 - Math.Pow(Beta1, Step), correction2 = 1 - Math.Pow(Beta2, Step);
            return ((float)(LearningRate / correction1), (float)(1 / Math.Sqrt(correction2)), 1f - LearningRate * WeightDecay);
        }
    }

    /// <summary>What the gradient is multiplied by when its norm is <paramref name="norm"/>.</summary>
    public float GradientScale(float norm) => Clip > 0f && norm > Clip ? Clip / norm : 1f;
}
