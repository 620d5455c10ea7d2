using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Matrix products.
public abstract partial class Backend
{
    /// <summary>c = op(a)·op(b) for each of <paramref name="batch"/> pairs, op = transpose where the flag says. a (batch, rows, inner)
    /// or transposed (batch, inner, rows); b (batch, inner, columns) or (batch, columns, inner); c (batch, rows, columns).</summary>
    public abstract void MatMul(
        Values a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default);
}

/// <summary>
/// What a matrix product does with its result while it is near: c = product + bias, then activated = f(c), or
/// silu(gate)·c where there is a gate, then rounds the last of them where asked. c is stored, never added to.
/// </summary>
public readonly record struct Epilogue
{
    /// <summary>(columns), of a grouped product (E, columns); empty: none.</summary>
    public Floats Bias { get; init; }

    /// <summary>f: ReLU, GELU or SiLU.</summary>
    public Unary Activation { get; init; }

    /// <summary>Like c; empty: none.</summary>
    public Values Gate { get; init; }

    /// <summary>Like c, or c itself; empty: no activation.</summary>
    public Values Activated { get; init; }

    /// <summary>What the result is rounded to, activated or, without an activation, c; it stays in float32 memory.</summary>
    public ElementType Precision { get; init; }

    /// <summary>True where nothing follows the product.</summary>
    internal bool IsNone => Bias.IsNone && Activated.IsNone && Precision == ElementType.Float32;
}
