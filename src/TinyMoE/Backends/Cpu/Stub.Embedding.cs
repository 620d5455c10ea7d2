#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void EmbeddingForward(Floats table, Ints ids, int N, int V, int C, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void FillUniform(RandomKey key, int n, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void FillNormal(RandomKey key, int n, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Dropout(Floats x, in Dropout dropout, int n, Target y) => throw new NotSupportedException();

}
