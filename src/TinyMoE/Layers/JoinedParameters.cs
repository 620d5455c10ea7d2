using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// Parameters that lie side by side in the blocks of their store, as one: matrices with rows of one length below each other, or vectors
/// one behind the other. Values and gradients are theirs.
/// </summary>
internal sealed class JoinedParameters : Tensor
{
    private readonly Parameter[] parts;

    private JoinedParameters(Shape shape, Parameter[] parts)
        : base(tape: null, shape, Values.At(parts[0].Data.Address, shape.Count, ElementType.Float32), wantsGrad: true) =>
        this.parts = parts;

    internal override Bfloat16s Bfloat16 => parts[0].Bfloat16.IsNone ? default : new Bfloat16s(parts[0].Bfloat16.Address, Count);

    internal override ElementType Rounding => parts[0].Rounding;

    /// <summary>
    /// The parts as one; null where they do not lie side by side: other parameters or padding are between them, they are kept in different
    /// ways, or one is frozen and has storage of its own.
    /// </summary>
    public static JoinedParameters? Of(params Parameter[] parts)
    {
        Parameter first = parts[0];
        long end = first.Offset, rows = 0;
        foreach (Parameter part in parts)
        {
            bool isNext = part.Offset >= 0 && part.Offset == end && part.Precision == first.Precision && part.Rounding == first.Rounding
                && part.Shape.Rank == first.Shape.Rank && (part.Shape.Rank == 1 || part.Shape.Last == first.Shape.Last);
            if (!isNext)
                return null;
            end += part.Count;
            rows += part.Shape[0];
        }

        if (end - first.Offset > int.MaxValue)
            return null;
        return new JoinedParameters(first.Shape.Rank == 1 ? (int)rows : ((int)rows, first.Shape.Last), parts);
    }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">Backward has reached some of the parts alone.</exception>
    public override Target GradTarget()
    {
        Target all = parts[0].GradTarget();
        for (int i = 1; i < parts.Length; i++)
        {
            if (parts[i].GradTarget().Adds != all.Adds)
                throw new InvalidOperationException($"{parts[i].Name} and {parts[0].Name} are one; backward has reached one alone.");
        }

        return all with { Values = Values.At(all.Values.Address, Count, all.Type) };
    }
}
