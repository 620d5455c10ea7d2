using TinyMoE.Memory;

namespace TinyMoE.Backends;

/// <summary>
/// What a product or a lookup reads as its weights, in the element type that they are kept in: float32, or
/// bfloat16, which is widened on the way. Sums are float32 in the same order, so weights in bfloat16 give what
/// their widened copy gives. A view is weights by itself. A type more is a member of <see cref="ElementType"/>
/// and a case in the backends: no signature changes, and a backend that lacks it says so.
/// </summary>
public readonly record struct Weights
{
    private Weights(ElementType type, nint address, long count) => (Type, Address, Count) = (type, address, count);

    /// <summary>How they are kept.</summary>
    public ElementType Type { get; }

    /// <summary>The device address of the first one.</summary>
    public nint Address { get; }

    /// <summary>How many they are.</summary>
    public long Count { get; }

    /// <summary>True where there are none.</summary>
    public bool IsNone => Address == 0;

    /// <summary>The view of weights in float32.</summary>
    /// <exception cref="InvalidOperationException">They are kept otherwise.</exception>
    public Floats Float32 => new(AddressOf(ElementType.Float32), checked((int)Count));

    /// <summary>The view of weights in bfloat16.</summary>
    /// <exception cref="InvalidOperationException">They are kept otherwise.</exception>
    public Bfloat16s Bfloat16 => new(AddressOf(ElementType.Bfloat16), checked((int)Count));

    /// <summary>Weights in float32.</summary>
    public static implicit operator Weights(Floats values) => new(ElementType.Float32, values.Address, values.Length);

    /// <summary>Weights in bfloat16.</summary>
    public static implicit operator Weights(Bfloat16s values) => new(ElementType.Bfloat16, values.Address, values.Length);

    /// <summary>What a backend throws that has no <paramref name="kernel"/> for weights kept like these.</summary>
    internal TinyMoEException NotSupportedBy(string backend, string kernel) =>
        new($"{kernel} of weights in {Type} is not supported by the {backend} backend.");

    private nint AddressOf(ElementType type) =>
        Type == type ? Address : throw new InvalidOperationException($"These weights are kept in {Type}, and are no {type}.");
}
