#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void LayerNormForward(Floats x, Floats w, Floats b, int N, int C, float eps, Floats y, Floats mean, Floats r) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void LayerNormBackward(Floats dy, Floats x, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dw, Target db) => throw new NotSupportedException();

}
