#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void Fill(Floats y, float value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void CopyColumns(Floats x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y) => throw new NotSupportedException();

}
