using TinyMoE.Memory;

namespace TinyMoE.Backends.Widening;

// Products of matrices and of experts.
public abstract partial class WideningBackend
{
    /// <inheritdoc/>
    public override void MatMul(
        Values a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default)
    {
        using Scratch wide = new(this);
        MatMul(wide.In(a), transposeA, b, transposeB, batch, rows, columns, inner, wide.Out(c), wide.After(epilogue));
    }

    /// <inheritdoc cref="Backend.MatMul"/>
    protected abstract void MatMul(
        Floats a, bool transposeA, Weights b, bool transposeB, int batch, int rows, int columns, int inner, Target c,
        in Epilogue epilogue = default);

    /// <inheritdoc/>
    public override void GroupedMatMul(
        Values x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        using Scratch wide = new(this);
        GroupedMatMul(wide.In(x), w, offsets, E, N, inputs, outputs, wide.Out(y), wide.After(epilogue));
    }

    /// <inheritdoc cref="Backend.GroupedMatMul"/>
    protected abstract void GroupedMatMul(
        Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default);

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Values dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        using Scratch wide = new(this);
        GroupedMatMulBackwardInput(wide.In(dy), w, offsets, E, N, inputs, outputs, wide.Out(dx));
    }

    /// <inheritdoc cref="Backend.GroupedMatMulBackwardInput"/>
    protected abstract void GroupedMatMulBackwardInput(
        Floats dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx);

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Values dy, Values x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        using Scratch wide = new(this);
        GroupedMatMulBackwardWeight(wide.In(dy), wide.In(x), offsets, E, N, inputs, outputs, wide.Out(dw));
    }

    /// <inheritdoc cref="Backend.GroupedMatMulBackwardWeight"/>
    protected abstract void GroupedMatMulBackwardWeight(
        Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw);

    /// <inheritdoc/>
    public override void GatheredMatMul(
        Values x, Ints tokens, Weights w, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target y,
        in Epilogue epilogue = default)
    {
        using Scratch wide = new(this);
        GatheredMatMul(wide.In(x), tokens, w, offsets, E, rows, N, inputs, outputs, wide.Out(y), wide.After(epilogue));
    }

    /// <inheritdoc cref="Backend.GatheredMatMul"/>
    protected abstract void GatheredMatMul(
        Floats x, Ints tokens, Weights w, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target y,
        in Epilogue epilogue = default);

    /// <inheritdoc/>
    public override void GatheredMatMulBackwardWeight(
        Values dy, Values x, Ints tokens, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target dw)
    {
        using Scratch wide = new(this);
        GatheredMatMulBackwardWeight(wide.In(dy), wide.In(x), tokens, offsets, E, rows, N, inputs, outputs, wide.Out(dw));
    }

    /// <inheritdoc cref="Backend.GatheredMatMulBackwardWeight"/>
    protected abstract void GatheredMatMulBackwardWeight(
        Floats dy, Floats x, Ints tokens, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target dw);

    /// <inheritdoc/>
    public override void GroupedSum(Values x, Ints offsets, int E, int N, int C, Target y)
    {
        using Scratch wide = new(this);
        GroupedSum(wide.In(x), offsets, E, N, C, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.GroupedSum"/>
    protected abstract void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y);
}
