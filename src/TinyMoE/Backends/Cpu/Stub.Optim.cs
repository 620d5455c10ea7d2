#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override double SquaredSum(Floats x, int n) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void AdamW(Floats g, in AdamWStep step, int n, Floats w, Floats m, Floats v) => throw new NotSupportedException();

}
