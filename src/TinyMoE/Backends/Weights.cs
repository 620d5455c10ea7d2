using TinyMoE.Memory;

namespace TinyMoE.Backends;

/// <summary>
/// What a product or a lookup reads as its weights, in the element type that they are kept in: float32, or bfloat16 or float16, which are
/// widened on the way. Sums are float32 in the same order, so narrow weights give what their widened copy gives. A view is weights by
/// itself, in bfloat16 where it is of 16 bits. A stack of matrices, as of experts, lies together, or each matrix for itself (<see
/// cref="Stack"/>), which only grouped products read, and only where kernels read the host's memory. A type more is a member of <see
/// cref="ElementType"/> and a case in the backends: no signature changes, and a backend that lacks it says so.
/// </summary>
public readonly record struct Weights
{
    private Weights(ElementType type, nint address, long count, nint table = 0) =>
        (Type, Address, Count, Table) = (type, address, count, table);

    /// <summary>How they are kept.</summary>
    public ElementType Type { get; }

    /// <summary>The device address of the first one.</summary>
    public nint Address { get; }

    /// <summary>How many they are.</summary>
    public long Count { get; }

    /// <summary>True where there are none.</summary>
    public bool IsNone => Address == 0;

    /// <summary>Whether their matrices lie each for itself.</summary>
    public bool LieApart => Table != 0;

    /// <summary>The view of weights in float32.</summary>
    /// <exception cref="InvalidOperationException">They are kept otherwise.</exception>
    public Floats Float32 => new(AddressOf(ElementType.Float32), checked((int)Count));

    /// <summary>The view of weights in bfloat16.</summary>
    /// <exception cref="InvalidOperationException">They are kept otherwise.</exception>
    public Bfloat16s Bfloat16 => new(AddressOf(ElementType.Bfloat16), checked((int)Count));

    /// <summary>The bits of weights in float16.</summary>
    /// <exception cref="InvalidOperationException">They are kept otherwise.</exception>
    public View<ushort> Float16 => new(AddressOf(ElementType.Float16), checked((int)Count));

    /// <summary>The same as values, of what is kept in float32 or bfloat16 and lies together.</summary>
    internal Values Values => LieApart || Type == ElementType.Float16
        ? throw new InvalidOperationException($"Weights in {Type}{(LieApart ? ", each matrix for itself," : "")} are no values.")
        : Values.At(Address, checked((int)Count), Type);

    /// <summary>The host address of the addresses of the matrices; 0 where they lie together.</summary>
    private nint Table { get; }

    /// <summary>Weights in float32.</summary>
    public static implicit operator Weights(Floats values) => new(ElementType.Float32, values.Address, values.Length);

    /// <summary>Weights in bfloat16.</summary>
    public static implicit operator Weights(Bfloat16s values) => new(ElementType.Bfloat16, values.Address, values.Length);

    /// <summary>Weights that are values of the type that these have.</summary>
    public static implicit operator Weights(Values values) => new(values.Type, values.Address, values.Length);

    /// <summary>Weights whose bits, of a type of 16, are these.</summary>
    public static Weights Of(ElementType type, View<ushort> bits) => type is ElementType.Bfloat16 or ElementType.Float16
        ? new(type, bits.Address, bits.Length)
        : throw new ArgumentException($"{type} has not 16 bits.");

    /// <summary>
    /// A stack of matrices of <paramref name="count"/> weights together that lie each for itself: <paramref name="addresses"/>, in memory
    /// of the host that lives as long as they do, has the address of each, one behind the other.
    /// </summary>
    public static unsafe Weights Stack(ElementType type, View<nint> addresses, long count) =>
        new(type, *addresses.Pointer, count, addresses.Address);

    /// <summary>The address of matrix <paramref name="index"/> of a stack of matrices of <paramref name="count"/> weights each.</summary>
    internal unsafe nint AddressOf(long index, long count) =>
        Table == 0 ? Address + (nint)Type.BytesOf(index * count) : ((nint*)Table)[index];

    /// <summary>What a backend throws that has no <paramref name="kernel"/> for weights kept like these.</summary>
    internal TinyMoEException NotSupportedBy(string backend, string kernel) => new(
        $"{kernel} of weights in {Type}{(LieApart ? ", each matrix for itself," : "")} is not supported by the {backend} backend.");

    private nint AddressOf(ElementType type) => Type == type && !LieApart
        ? Address
        : throw new InvalidOperationException(
            LieApart ? "The matrices of these weights lie each for itself." : $"These weights are kept in {Type}, and are no {type}.");
}
