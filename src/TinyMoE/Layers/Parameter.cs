using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// A model's tensor. One that trains is a named view into the <see cref="ParameterStore"/>'s flat blocks of
/// weights and gradients; a frozen one has storage of its own, in its own element type, and no gradient.
/// </summary>
public sealed class Parameter : Tensor
{
    private Bfloat16s bfloat16Values;
    private Weights kept; // of a frozen one

    internal Parameter(string name, Shape shape, Initializer initializer, ModelPart part, bool decays, ElementType precision)
        : base(tape: null, shape, default, wantsGrad: true)
    {
        (Name, Initializer, Part, Decays, Precision) = (name, initializer, part, decays, precision);
        Rounding = precision;
    }

    /// <summary>The name in the model, as <c>layers.0.attention.query.weight</c>; what a file calls it is a matter of its family.</summary>
    public string Name { get; }

    /// <summary>The part of the model that it belongs to.</summary>
    public ModelPart Part { get; }

    /// <summary>Draws its first values.</summary>
    public Initializer Initializer { get; }

    /// <summary>Whether weight decay acts on it where it trains: matrices yes, vectors no.</summary>
    public bool Decays { get; }

    /// <summary>
    /// What products read of it. In bfloat16 it has 16-bit values: beside its float32 ones where it trains, and in their place where it
    /// is frozen. Only a frozen one may be kept in float16.
    /// </summary>
    public ElementType Precision { get; private set; }

    /// <summary>Whether it keeps its values: it has no gradient, no moments, no decay and no part in the norm of the gradient.</summary>
    public bool IsFrozen { get; internal set; }

    /// <summary>Whether its values lie in memory that may only be read, as of a file.</summary>
    public bool IsMapped { get; private set; }

    internal override Bfloat16s Bfloat16 => bfloat16Values;

    internal override Weights Weights => kept.IsNone ? base.Weights : kept;

    /// <summary>What it was added to compute in, however its values are kept.</summary>
    internal override ElementType Rounding { get; }

    /// <summary>Where it begins in the flat blocks (elements); −1 for a frozen one.</summary>
    internal long Offset { get; private set; } = -1;

    /// <summary>Gives it its place in each of the blocks that there are for it; an empty block is none.</summary>
    internal void Place(long offset, FlatBlock<float> weights, FlatBlock<float> gradients, FlatBlock<ushort> bfloat16)
    {
        Offset = offset;
        Bind(weights.Slice(offset, Count), gradients.Slice(offset, Count));
        bfloat16Values = bfloat16.Slice(offset, Count);
    }

    /// <summary>Gives it storage of its own.</summary>
    internal void Keep(Weights values, bool isMapped)
    {
        (kept, Precision, IsMapped) = (values, values.Type, isMapped);
        bool isView = !values.LieApart;
        Bind(isView && values.Type == ElementType.Float32 ? values.Float32 : default, default);
        bfloat16Values = isView && values.Type == ElementType.Bfloat16 ? values.Bfloat16 : default;
    }

    internal void ZeroGrad() => ForgetGrad();
}
