using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>A trained tensor: a named view into the <see cref="ParameterStore"/>'s flat blocks of weights and gradients.</summary>
public sealed class Parameter : Tensor
{
    private Bfloat16s bfloat16Values;

    internal Parameter(string name, Shape shape, Initializer initializer, ModelPart part, bool decays, ElementType precision)
        : base(tape: null, shape, default, wantsGrad: true)
    {
        (Name, Initializer, Part, Decays, Precision) = (name, initializer, part, decays, precision);
    }

    /// <summary>The name in the model, as <c>layers.0.attention.query.weight</c>; what a file calls it is a matter of its family.</summary>
    public string Name { get; }

    /// <summary>The part of the model that it belongs to.</summary>
    public ModelPart Part { get; }

    /// <summary>How it begins.</summary>
    public Initializer Initializer { get; }

    /// <summary>Whether weight decay acts on it: matrices yes, vectors no.</summary>
    public bool Decays { get; }

    /// <summary>What it computes in. In bfloat16 it has 16-bit values beside its float32 ones in training, and in their place elsewhere.</summary>
    public ElementType Precision { get; }

    internal override Bfloat16s Bfloat16 => bfloat16Values;

    /// <summary>Where it begins in the flat blocks (elements).</summary>
    internal int Offset { get; private set; }

    /// <summary>Gives it its place in each of the blocks that there are for it; an empty block is none.</summary>
    internal void Place(int offset, Floats weights, Floats gradients, Bfloat16s bfloat16)
    {
        Offset = offset;
        Bind(Part(weights), Part(gradients));
        bfloat16Values = Part(bfloat16);

        View<T> Part<T>(View<T> block)
            where T : unmanaged => block.IsNone ? default : block.Slice(offset, Count);
    }

    internal void ZeroGrad() => ForgetGrad();
}
