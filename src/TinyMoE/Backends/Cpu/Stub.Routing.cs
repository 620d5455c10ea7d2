#pragma warning disable IDE0005
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void TopK(Floats x, int T, int E, int K, Ints columns) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int T, int E, int K, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Assign(Ints experts, int T, int E, int K, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Gather(Floats x, Ints indices, int n, Floats y) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y) => throw new NotSupportedException();

}
