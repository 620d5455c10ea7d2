#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SumRows(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SumColumns(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void BroadcastRows(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void BroadcastColumns(Floats x, float scale, int N, int C, Target y) => throw new NotSupportedException();

}
