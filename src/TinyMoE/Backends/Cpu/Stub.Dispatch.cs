#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void DispatchForward(Floats x, Ints tokens, int N, int T, int C, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw) => throw new NotSupportedException();

}
