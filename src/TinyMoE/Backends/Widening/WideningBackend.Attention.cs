using TinyMoE.Memory;

namespace TinyMoE.Backends.Widening;

// Attention, and rotary positions.
public abstract partial class WideningBackend
{
    /// <inheritdoc/>
    public override void AttentionForward(
        Values q, Values k, Values v, in AttentionSizes sizes, in Dropout dropout, Values y, Floats logSumExp)
    {
        if (IsOfColumns(q, sizes.Stride))
        {
            AttentionForwardOfColumns(q, k, v, in sizes, in dropout, y, logSumExp);
            return;
        }

        using Scratch wide = new(this);
        AttentionForward(wide.In(q), wide.In(k), wide.In(v), in sizes, in dropout, wide.Out(y), logSumExp);
    }

    /// <inheritdoc cref="Backend.AttentionForward"/>
    protected abstract void AttentionForward(
        Floats q, Floats k, Floats v, in AttentionSizes sizes, in Dropout dropout, Floats y, Floats logSumExp);

    /// <inheritdoc/>
    public override void AttentionBackward(
        Values dy, Values q, Values k, Values v, Values y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles = default)
    {
        RequireTurnable(sizes, angles, dq, dk);
        if (IsOfColumns(q, sizes.Stride))
        {
            AttentionBackwardOfColumns(dy, q, k, v, y, logSumExp, in sizes, in dropout, dq, dk, dv, in angles);
            return;
        }

        using Scratch wide = new(this);
        AttentionBackward(
            wide.In(dy), wide.In(q), wide.In(k), wide.In(v), wide.In(y), logSumExp, in sizes, in dropout, wide.Out(dq), wide.Out(dk),
            wide.Out(dv), in angles);
    }

    /// <inheritdoc cref="Backend.AttentionBackward"/>
    protected abstract void AttentionBackward(
        Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles);

    /// <summary>What a backward can turn back: gradients that are stored, of as many queries as keys.</summary>
    protected static void RequireTurnable(in AttentionSizes sizes, in RotaryAngles angles, Target dq, Target dk)
    {
        if (!angles.IsNone && (dq.Adds || dk.Adds || sizes.T != sizes.S))
            throw new ArgumentException("Gradients that are turned back are stored, of as many queries as keys.");
    }

    /// <summary>Turns gradients back in their place, for kernels that do not do it as they store them.</summary>
    protected void TurnBack(Target dq, Target dk, in AttentionSizes sizes, in RotaryAngles angles)
    {
        if (angles.IsNone)
            return;
        (_, _, int turned, int start, bool interleaved) = angles;
        RopeSizes rope = new(sizes.B, sizes.T, sizes.H, sizes.KvHeads, sizes.D, turned, start, interleaved) { Stride = sizes.Stride };
        Rope(dq.Values, dk.Values, angles.Cos, angles.Sin, in rope, inverse: true, dq, dk);
    }

    /// <inheritdoc/>
    public override void AttentionSinksForward(Floats sinks, in AttentionSizes sizes, Values y, Floats logSumExp)
    {
        using Scratch wide = new(this);
        AttentionSinksForward(sinks, in sizes, wide.InOut(y), logSumExp);
    }

    /// <inheritdoc cref="Backend.AttentionSinksForward"/>
    protected abstract void AttentionSinksForward(Floats sinks, in AttentionSizes sizes, Floats y, Floats logSumExp);

    /// <inheritdoc/>
    public override void AttentionSinksBackward(Values dy, Values y, Floats sinks, Floats logSumExp, in AttentionSizes sizes, Target dSinks)
    {
        using Scratch wide = new(this);
        AttentionSinksBackward(wide.In(dy), wide.In(y), sinks, logSumExp, in sizes, wide.Out(dSinks));
    }

    /// <inheritdoc cref="Backend.AttentionSinksBackward"/>
    protected abstract void AttentionSinksBackward(
        Floats dy, Floats y, Floats sinks, Floats logSumExp, in AttentionSizes sizes, Target dSinks);

    /// <inheritdoc/>
    public override void Rope(Values q, Values k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk)
    {
        if (IsOfColumns(q.IsNone ? k : q, sizes.Stride))
        {
            RopeOfColumns(q, k, cos, sin, in sizes, inverse, yq, yk);
            return;
        }

        using Scratch wide = new(this);
        Rope(wide.In(q), wide.In(k), cos, sin, in sizes, inverse, wide.Out(yq), wide.Out(yk));
    }

    /// <inheritdoc cref="Backend.Rope"/>
    protected abstract void Rope(Floats q, Floats k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk);
}
