namespace TinyMoE.Ops;

/// <summary>
/// The differentiable functions, one partial file per family. Each op is one method on one screen: the forward
/// kernel, then the backward closure with the gradient's formula above it. <see cref="Tensors.Tape.Record"/>
/// is the only way out, so no op is without a gradient. Activations come first (the tape rides on them);
/// shapes that do not fit throw an <see cref="ArgumentException"/> that names op and shape.
/// </summary>
public static partial class Ops
{
}
