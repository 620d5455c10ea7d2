#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void UnaryForward(Unary f, Floats x, int n, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void BinaryBackward(Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Affine(Floats x, float scale, float shift, int n, Target y) => throw new NotSupportedException();

}
