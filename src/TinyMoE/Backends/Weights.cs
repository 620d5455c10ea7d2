using TinyMoE.Memory;

namespace TinyMoE.Backends;

/// <summary>Weights that a product reads in either precision; it adds up
/// in float32, in the same order. A view is weights by itself.</summary>
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
