using System.Runtime.CompilerServices;
using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Tensors;

// Where the tensors of a tape live: activations with the node that made them, what comes from the host as long as the tape.
public sealed partial class Tape
{
    private readonly InputBlock? inputs; // where values of the host are placed, if there is room; null: each is a copy by itself
    private BufferChain pending; // rented since the last Record: they go with the next node
    private BufferChain kept;    // live until the tape is disposed

    /// <summary>A new activation, contents undefined; it belongs to the node that the next <see cref="Record"/> makes.</summary>
    public Tensor New(Shape shape, ElementType type = ElementType.Float32) =>
        Tensor.On(this, shape, Saved(shape.Count, type), wantsGrad: Recording, isActivation: true);

    /// <summary>
    /// A new activation like <paramref name="x"/> in x's own memory, for an op that works in place and whose backward
    /// reads neither values nor gradient of x. It uses x up: reading x's values from then on throws. Where the memory
    /// is not free to take (x is no activation, or its own backward reads it) the new one has its own, and x stays.
    /// </summary>
    public Tensor NewOver(Tensor x) => x.CanBeTakenOver ? Tensor.Over(x) : New(x.Shape, x.Type);

    /// <summary>Memory that a backward needs; it belongs to the node that the next <see cref="Record"/> makes.</summary>
    public Floats Saved(int count) => Rent<float>(count, ref pending);

    /// <summary>The same, in an element type.</summary>
    public Values Saved(int count, ElementType type) => Rent(count, type, ref pending);

    /// <summary>Indices (a plan, a batch); they live as long as the tape.</summary>
    public Ints Ints(int count) => Rent<int>(count, ref kept);

    /// <summary>Indices copied from the host; they live as long as the tape.</summary>
    public Ints Ints(ReadOnlySpan<int> values) => FromHost(values);

    /// <summary>Values with no gradient, contents undefined; they live as long as the tape.</summary>
    public Tensor Constant(Shape shape) => Tensor.On(this, shape, Rent<float>(shape.Count, ref kept), wantsGrad: false);

    /// <summary>One value everywhere, with no gradient; it lives as long as the tape.</summary>
    public Tensor Filled(Shape shape, float value)
    {
        Tensor filled = Constant(shape);
        Backend.Fill(filled.Data, value);
        return filled;
    }

    /// <summary>Values from the host with no gradient; they live as long as the tape.</summary>
    public Tensor Constant(Shape shape, ReadOnlySpan<float> values) => Leaf(shape, values, wantsGrad: false);

    /// <summary>Values from the host whose gradient is wanted; they live as long as the tape.</summary>
    public Tensor Variable(Shape shape, ReadOnlySpan<float> values) => Leaf(shape, values, wantsGrad: true);

    /// <summary>Values that somebody else owns (a cache), with no gradient.</summary>
    internal Tensor Borrow(Shape shape, Values values) => Tensor.On(this, shape, values, wantsGrad: false);

    /// <summary><paramref name="x"/> itself with a copy in bfloat16, which grouped
    /// products read in its place; it lives as long as the tape.</summary>
    internal Tensor WithBfloat16(Tensor x)
    {
        if (x.Weights.Type == ElementType.Bfloat16)
            return x;
        Bfloat16s copy = Rent<ushort>(x.Count, ref kept);
        Backend.PackBfloat16(x.Data, x.Count, copy);
        return new Copied(x, copy);
    }

    /// <summary>Memory for an activation's gradient; it goes with the node that made the activation, or with the tape for a leaf.</summary>
    internal Values RentGrad(Tensor tensor) => Rent(tensor.Count, tensor.Type, ref tensor.HasNode ? ref tensor.Owned : ref kept);

    private Tensor Leaf(Shape shape, ReadOnlySpan<float> values, bool wantsGrad)
    {
        if (values.Length != shape.Count)
            throw new ArgumentException($"{values.Length} values are not a tensor {shape}.");
        return Tensor.On(this, shape, FromHost(values), wantsGrad);
    }

    private View<T> FromHost<T>(ReadOnlySpan<T> values)
        where T : unmanaged
    {
        if (inputs is not null && inputs.TryPlace(values, out View<T> place))
            return place;
        View<T> view = Rent<T>(values.Length, ref kept);
        Backend.Write(values, view);
        return view;
    }

    private Values Rent(int count, ElementType type, ref BufferChain owner) =>
        type == ElementType.Float32 ? Rent<float>(count, ref owner) : Rent<ushort>(count, ref owner);

    private View<T> Rent<T>(int count, ref BufferChain owner)
        where T : unmanaged
    {
        DeviceBuffer buffer = Backend.Pool.Rent((long)count * Unsafe.SizeOf<T>(), Scope);
        owner.Add(buffer);
        return buffer.As<T>(count);
    }

    private sealed class Copied(Tensor origin, Bfloat16s copy) : Tensor(origin, origin.Shape)
    {
        internal override Bfloat16s Bfloat16 => copy;
    }
}
