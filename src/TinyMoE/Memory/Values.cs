namespace TinyMoE.Memory;

/// <summary>
/// A run of values in device memory in the element type that they are kept in, float32 or bfloat16: what a kernel reads and writes of
/// activations and their gradients. Whatever the type, arithmetic and sums are float32; a result in bfloat16 is rounded once, to the
/// nearest, ties to the even one. The empty run means "none".
/// </summary>
public readonly record struct Values
{
    private Values(ElementType type, nint address, int length) => (Type, Address, Length) = (type, address, length);

    /// <summary>The device address of the first one (bytes).</summary>
    public nint Address { get; }

    /// <summary>Number of values.</summary>
    public int Length { get; }

    /// <summary>How they are kept.</summary>
    public ElementType Type { get; }

    /// <summary>True for the empty run.</summary>
    public bool IsNone => Address == 0;

    /// <summary>Bytes that they take.</summary>
    public long Bytes => Type.BytesOf(Length);

    /// <summary>The view of values in float32.</summary>
    /// <exception cref="InvalidOperationException">They are kept in bfloat16.</exception>
    public Floats Float32 => Type == ElementType.Float32 ? new Floats(Address, Length) : throw Kept(ElementType.Float32);

    /// <summary>The view of values in bfloat16.</summary>
    /// <exception cref="InvalidOperationException">They are kept in float32.</exception>
    public Bfloat16s Bfloat16 => Type == ElementType.Bfloat16 ? new Bfloat16s(Address, Length) : throw Kept(ElementType.Bfloat16);

    /// <summary>Values in float32.</summary>
    public static implicit operator Values(Floats values) => new(ElementType.Float32, values.Address, values.Length);

    /// <summary>Values in bfloat16.</summary>
    public static implicit operator Values(Bfloat16s values) => new(ElementType.Bfloat16, values.Address, values.Length);

    /// <summary>The <paramref name="length"/> values at a device <paramref name="address"/>, in this type.</summary>
    public static Values At(nint address, int length, ElementType type) => type is ElementType.Float32 or ElementType.Bfloat16
        ? new Values(type, address, length)
        : throw new ArgumentException($"Nothing computes in {type}.");

    /// <summary>The <paramref name="length"/> values from <paramref name="start"/> on; out of range throws.</summary>
    public Values Slice(int start, int length)
    {
        if ((uint)start > (uint)Length || (uint)length > (uint)(Length - start))
            throw new ArgumentOutOfRangeException(nameof(start), $"Slice {start}..{(long)start + length} of {Length} values.");
        return new Values(Type, Address + (nint)Type.BytesOf(start), length);
    }

    private InvalidOperationException Kept(ElementType asked) => new($"These values are kept in {Type}, and are no {asked}.");
}
