using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends;

/// <summary>A function of one value.</summary>
public enum Unary
{
    /// <summary>eˣ.</summary>
    Exp,

    /// <summary>ln x.</summary>
    Log,

    /// <summary>√x.</summary>
    Sqrt,

    /// <summary>x².</summary>
    Square,

    /// <summary>1/(1 + e⁻ˣ).</summary>
    Sigmoid,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x·Φ(x), exact, with the error function (Hendrycks and Gimpel 2016).</summary>
    Gelu,

    /// <summary>x·sigmoid(x).</summary>
    Silu,

    /// <summary>ln(1 + eˣ), without overflow.</summary>
    Softplus,

    /// <summary>Φ(x), the distribution function of the standard normal.</summary>
    NormalCdf,
}

/// <summary>A function of two values.</summary>
public enum Binary
{
    /// <summary>a + b.</summary>
    Add,

    /// <summary>a − b.</summary>
    Subtract,

    /// <summary>a·b.</summary>
    Multiply,

    /// <summary>a/b.</summary>
    Divide,
}

/// <summary>How the second operand meets the first, a matrix (N, C).</summary>
public enum Broadcast
{
    /// <summary>b (N, C): element by element.</summary>
    None,

    /// <summary>b (C): the same row for every row.</summary>
    Row,

    /// <summary>b (N): the same column for every column.</summary>
    Column,
}

/// <summary>Sizes of one attention.</summary>
/// <param name="B">Sequences.</param>
/// <param name="T">Queries a sequence: the last T of the S positions.</param>
/// <param name="S">Keys a sequence.</param>
/// <param name="H">Query heads.</param>
/// <param name="KvHeads">Key and value heads; divides H.</param>
/// <param name="D">Size of a head.</param>
/// <param name="Window">How many keys a query sees, itself included; 0: all before it.</param>
public readonly record struct AttentionSizes(int B, int T, int S, int H, int KvHeads, int D, int Window = 0);

/// <summary>Weights that a product reads in either precision; it adds up in float32, in the same order. A view is weights by itself.</summary>
public readonly record struct Weights
{
    /// <summary>In float32; empty when they are in bfloat16.</summary>
    public Floats Float32 { get; private init; }

    /// <summary>In bfloat16; empty when they are in float32.</summary>
    public Bfloat16s Bfloat16 { get; private init; }

    /// <summary>Which of the two.</summary>
    public ElementType Precision => Bfloat16.IsNone ? ElementType.Float32 : ElementType.Bfloat16;

    /// <summary>Weights in float32.</summary>
    public static implicit operator Weights(Floats values) => new() { Float32 = values };

    /// <summary>Weights in bfloat16.</summary>
    public static implicit operator Weights(Bfloat16s values) => new() { Bfloat16 = values };
}

/// <summary>
/// What a matrix product does with its result while it is near: c = product + bias, then activated = f(c), or silu(gate)·c where there is a gate, then rounds the last of them where asked. c is stored, never added to.
/// </summary>
public readonly record struct Epilogue
{
    /// <summary>(columns), of a grouped product (E, columns); empty: none.</summary>
    public Floats Bias { get; init; }

    /// <summary>f: ReLU, GELU or SiLU.</summary>
    public Unary Activation { get; init; }

    /// <summary>Like c; empty: none.</summary>
    public Floats Gate { get; init; }

    /// <summary>Like c, or c itself; empty: no activation.</summary>
    public Floats Activated { get; init; }

    /// <summary>What the result is rounded to, activated or, without an activation, c; it stays in float32 memory.</summary>
    public ElementType Precision { get; init; }
}

/// <summary>Dropout of one place: the rate, 0 for none, and the stream of its random numbers.</summary>
/// <param name="Rate">Share of values set to zero, 0 to below 1.</param>
/// <param name="Key">Names the random numbers.</param>
public readonly record struct Dropout(float Rate, RandomKey Key)
{
    /// <summary>No dropout.</summary>
    public static Dropout None => default;
}

/// <summary>The numbers of one AdamW update: w −= rate·(m̂/(√v̂ + eps) + decay·w), m̂ = m/(1 − β₁ᵗ), v̂ = v/(1 − β₂ᵗ), of the gradient g·min(1, clip/norm).</summary>
/// <param name="Step">t, from 1.</param>
/// <param name="LearningRate">rate.</param>
/// <param name="Beta1">β₁.</param>
/// <param name="Beta2">β₂.</param>
/// <param name="Epsilon">eps.</param>
/// <param name="WeightDecay">decay.</param>
/// <param name="Clip">The longest that a gradient stays; 0: no clip.</param>
public readonly record struct AdamWStep(int Step, float LearningRate, float Beta1, float Beta2, float Epsilon, float WeightDecay, float Clip)
{
    /// <summary>What the gradient is multiplied by when its norm is <paramref name="norm"/>.</summary>
    public float GradientScale(float norm) => Clip > 0f && norm > Clip ? Clip / norm : 1f;
}
