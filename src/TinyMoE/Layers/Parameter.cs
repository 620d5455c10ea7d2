using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>A trained tensor: a named view into the <see cref="ParameterStore"/>'s flat blocks of weights and gradients.</summary>
public sealed class Parameter : Tensor
{
    private Bfloat16s bfloat16Values;

    internal Parameter(string name, Shape shape, Initializer initializer, bool decays, ElementType precision)
        : base(tape: null, shape, default, wantsGrad: true)
    {
        (Name, Initializer, Decays, Precision) = (name, initializer, decays, precision);
    }

    /// <summary>
    /// The name in a checkpoint. Where it has <c>{expert}</c> the leading dimension is the experts', and each one is a tensor of its own
    /// in the file, as Hugging Face keeps Mixtral's.
    /// </summary>
    public string Name { get; }

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

    /// <summary>The tensors this parameter is in a file: names, shapes, and where each begins in it (elements).</summary>
    internal IEnumerable<(string Name, Shape Shape, int Start)> FileTensors()
    {
        const string Expert = "{expert}";
        if (!Name.Contains(Expert, StringComparison.Ordinal))
        {
            yield return (Name, Shape, 0);
            yield break;
        }

        Shape one = Shape.Of(Shape.ToArray().AsSpan(1));
        for (int e = 0; e < Shape[0]; e++)
            yield return (Name.Replace(Expert, $"{e}", StringComparison.Ordinal), one, e * one.Count);
    }
}
