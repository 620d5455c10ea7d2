using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernel: native/kernels/rope.cu.
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void Rope(
        Floats q, Floats k, Floats cos, Floats sin, int B, int T, int H, int KvHeads, int D, int start, bool inverse, Target yq, Target yk)
    {
        if (!yq.IsNone || !yk.IsNone)
            Launch("rope", Grid.Elements((long)B * T * (D / 2), each: 1), q, k, cos, sin, B * T, T, H, KvHeads, D, start, inverse, yq, yk);
    }
}
