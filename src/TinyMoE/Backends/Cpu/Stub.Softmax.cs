#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SoftmaxForward(Floats x, int N, int C, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void LogSumExpForward(Floats x, int N, int C, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits) => throw new NotSupportedException();

}
