using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Tensors;

/// <summary>
/// Values, contiguous and row-major, in device memory, with the gradient of the loss by them once backward has been there, both in the
/// same element type: float32, or, of activations, bfloat16. An activation rides on a <see cref="Tape"/>; a parameter has none.
/// </summary>
public partial class Tensor
{
    private Tape? tape;
    private Tensor? origin;          // a reshaped tensor shares memory and gradient with its origin
    private Tensor? below;           // whose memory this one took over: it owns values and gradient of both
    private bool isActivation;
    private bool isNarrow;           // kept in bfloat16; in one byte, for there are many tensors
    private nint valuesAddress;
    private nint gradAddress;        // 0 until a backward asks for it
    private bool gradWritten;

    /// <summary>The memory that goes back to the pool with the node that made this activation; none for a leaf.</summary>
    internal BufferChain Owned;

    private protected Tensor(Tape? tape, Shape shape, Values values, bool wantsGrad, bool isActivation = false) =>
        Become(tape, shape, values, wantsGrad, isActivation);

    private protected Tensor(Tensor origin, Shape shape) => BecomeView(origin, shape);

    /// <summary>The sizes.</summary>
    public Shape Shape { get; private set; }

    /// <summary>Number of elements.</summary>
    public int Count => Shape.Count;

    /// <summary>How values and gradient are kept.</summary>
    public ElementType Type => isNarrow ? ElementType.Bfloat16 : ElementType.Float32;

    /// <summary>The values, in <see cref="Type"/>.</summary>
    /// <exception cref="InvalidOperationException">They are gone: another op took their
    /// memory over (<see cref="Tape.NewOver"/>), backward has passed, or there are none (<see cref="UnmovedRows"/>).</exception>
    public Values Values => (origin ?? this).IsUsedUp
        ? throw new InvalidOperationException(
            $"The values of this tensor {Shape} are gone: an op that works in place has used them up, backward has passed, or they are "
            + "rows of tokens that nobody moved.")
        : Values.At(valuesAddress, Count, Type);

    /// <summary>The values of a tensor in float32.</summary>
    /// <exception cref="InvalidOperationException">They are gone (see <see cref="Values"/>), or in bfloat16: an op that has no kernel for
    /// these begins with <c>ToFloat32()</c>.</exception>
    public Floats Data => Values.Float32;

    /// <summary>The values rounded to bfloat16, which grouped products read in their place; empty: none, they read float32.</summary>
    internal virtual Bfloat16s Bfloat16 => origin?.Bfloat16 ?? default;

    /// <summary>What grouped products with these weights round their results and gradients to; they are kept in float32.</summary>
    internal virtual ElementType Rounding => Bfloat16.IsNone ? ElementType.Float32 : ElementType.Bfloat16;

    /// <summary>What dense products and lookups read: the values as they are, of a parameter those in float32 if it has any.</summary>
    internal virtual Weights Weights => origin?.Weights ?? (Bfloat16.IsNone || !Values.IsNone ? Values : Bfloat16);

    /// <summary>Whether backward should compute this tensor's gradient.</summary>
    public bool WantsGrad { get; protected set; }

    /// <summary>The tape this activation rides on.</summary>
    /// <exception cref="InvalidOperationException">The tensor is a parameter: put the activation first.</exception>
    public Tape Tape =>
        tape ?? throw new InvalidOperationException("A parameter rides on no tape; the first argument of an op is an activation.");

    /// <summary>Whether the backward of the op that made this activation reads its values.</summary>
    internal bool NeededByBackward { get; set; }

    /// <summary>Whether the values are gone.</summary>
    internal bool IsUsedUp { get; private protected set; }

    /// <summary>Whether a node of the tape owns the gradient's memory: no leaf's does.</summary>
    internal virtual bool HasNode => !Owned.IsEmpty;

    /// <summary>Whether another activation may have this one's memory.</summary>
    internal bool CanBeTakenOver => origin?.CanBeTakenOver ?? (isActivation && !NeededByBackward);

    /// <summary>Whether some backward has written the gradient.</summary>
    public bool HasGrad => origin?.HasGrad ?? gradWritten;

    /// <summary>The gradient of the loss by this tensor, which is in float32.</summary>
    /// <exception cref="InvalidOperationException">No backward has written it, or it is in bfloat16.</exception>
    public Floats Grad => GradValues.Float32;

    /// <summary>The gradient, in <see cref="Type"/>.</summary>
    /// <exception cref="InvalidOperationException">No backward has written it.</exception>
    public Values GradValues => origin?.GradValues
        ?? (gradWritten ? Values.At(gradAddress, Count, Type)
            : throw new InvalidOperationException("This tensor has no gradient: no backward has reached it."));

    /// <summary>
    /// Where a backward kernel writes this tensor's gradient: the first call stores, later ones add. Nobody wants it: the empty target.
    /// Ask for it only to pass it to a kernel, which must write every element.
    /// </summary>
    public virtual Target GradTarget()
    {
        if (origin is not null)
            return origin.GradTarget();
        if (!WantsGrad)
            return Target.None;
        Target target = new(Values.At(GradMemory(), Count, Type), Adds: gradWritten);
        gradWritten = true;
        return target;
    }

    /// <summary>The same elements under another shape; memory and gradient are shared.</summary>
    public Tensor Reshape(Shape shape)
    {
        if (shape.Count != Count)
            throw new ArgumentException($"Cannot reshape {Shape} ({Count} elements) to {shape} ({shape.Count} elements).");
        return View(origin ?? this, shape);
    }

    /// <summary>The values on the host, in float32; waits for the device.</summary>
    public float[] ToArray() => Tape.Backend.ReadWide(Values);

    /// <summary>The value of a one-element tensor on the host; waits for the device.</summary>
    public float Item() => Count == 1 ? ToArray()[0] : throw new InvalidOperationException($"Item() needs one element, not {Shape}.");

    /// <summary>Returns the memory of the values, which nothing will read again.</summary>
    internal void ReleaseValues()
    {
        IsUsedUp = true;
        if (below is not null)
            below.ReleaseValues();
        else
            Owned.Return(valuesAddress, Tape.Backend.Pool);
    }

    /// <summary>Takes away the gradient that others gave, for an op that passes it on with its own; empty where nobody gave one.</summary>
    internal Values TakeGrad()
    {
        Values gradient = gradWritten ? GradValues : default;
        gradWritten = false;
        return gradient;
    }

    /// <summary>Where the gradient is or will be: what took over the values takes
    /// over this memory too, so that its backward works in place.</summary>
    private nint GradMemory()
    {
        if (gradAddress == 0)
            gradAddress = below is { HasGrad: false } ? below.GradMemory() : Tape.RentGrad(this).Address;
        return gradAddress;
    }

    /// <summary>Gives a parameter its place in the flat blocks; without a place for a gradient it wants none.</summary>
    protected void Bind(Floats data, Floats gradient) =>
        (valuesAddress, gradAddress, WantsGrad) = (data.Address, gradient.Address, !gradient.IsNone);

    /// <summary>Forgets the gradient: the next backward stores.</summary>
    protected void ForgetGrad() => gradWritten = false;
}
