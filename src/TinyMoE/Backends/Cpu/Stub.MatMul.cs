#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void MatMul(Floats a, bool transposeA, Floats b, bool transposeB, int batch, int rows, int columns, int inner, Target c) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void GroupedMatMul(Floats x, Floats w, Ints offsets, int E, int N, int inputs, int outputs, Target y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Floats dy, Floats w, Ints offsets, int E, int N, int inputs, int outputs, Target dx) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void GroupedSum(Floats x, Ints offsets, int E, int N, int C, Target y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y) => throw new NotSupportedException();

}
