#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SwiGluForward(Floats gate, Floats up, int n, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SwiGluBackward(Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Rope(Floats x, Floats cos, Floats sin, int B, int T, int H, int D, int start, bool inverse, Target y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void AttentionForward(Floats q, Floats k, Floats v, in AttentionSizes sizes, in Dropout dropout, Floats y, Floats logSumExp) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void AttentionBackward(Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq, Target dk, Target dv) => throw new NotSupportedException();

}
