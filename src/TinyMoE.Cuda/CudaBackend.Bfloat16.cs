using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/bfloat16.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void RoundToBfloat16(Floats x, int n, Target y)
    {
        if (!y.IsNone)
            Launch("round_to_bfloat16", Grid.Elements(n), x, n, y);
    }

    /// <inheritdoc/>
    public override void PackBfloat16(Floats x, int n, Bfloat16s y) => Launch("pack_bfloat16", Grid.Elements(n), x, n, y);

    /// <summary>y = x, in 16 bits, as float32. x, y (n).</summary>
    private void Widen(Weights x, long n, Floats y)
    {
        if (x.Type == ElementType.Float16)
            WidenFloat16(x.Float16, n, y);
        else
            Launch("widen_bfloat16", Grid.Elements(n), x.Bfloat16, n, y);
    }
}
