using TinyMoE.Memory;

namespace TinyMoE.Tensors;

// How a tensor comes to be: a new object, or on a tape that is rewound (Tape.Rewind) one that served before.
public partial class Tensor
{
    private static readonly Func<Tensor> New = static () => new Tensor();

    private Tensor()
    {
    }

    /// <summary>A tensor on a tape.</summary>
    internal static Tensor On(Tape tape, Shape shape, Values values, bool wantsGrad, bool isActivation = false) =>
        tape.Take(New).Become(tape, shape, values, wantsGrad, isActivation);

    /// <summary>An activation in the memory of <paramref name="below"/>, which it uses up.</summary>
    internal static Tensor Over(Tensor below)
    {
        Tensor above = On(below.Tape, below.Shape, below.Values, below.WantsGrad, isActivation: true);
        above.below = below.origin ?? below;
        above.below.IsUsedUp = true;
        return above;
    }

    private static Tensor View(Tensor origin, Shape shape) => (origin.tape?.Take(New) ?? New()).BecomeView(origin, shape);

    private Tensor Become(Tape? tape, Shape shape, Values values, bool wantsGrad, bool isActivation)
    {
        (this.tape, Shape, valuesAddress, isNarrow, WantsGrad, this.isActivation) =
            (tape, shape, values.Address, values.Type == ElementType.Bfloat16, wantsGrad, isActivation);
        (origin, below, gradAddress, gradWritten, Owned, NeededByBackward, IsUsedUp) = (null, null, 0, false, default, false, false);
        return this;
    }

    private Tensor BecomeView(Tensor origin, Shape shape)
    {
        Become(origin.tape, shape, Values.At(origin.valuesAddress, shape.Count, origin.Type), origin.WantsGrad, isActivation: false);
        this.origin = origin;
        return this;
    }
}
