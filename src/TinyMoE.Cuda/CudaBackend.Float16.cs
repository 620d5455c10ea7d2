using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/float16.cu
public sealed unsafe partial class CudaBackend
{
    private void WidenFloat16(View<ushort> x, long n, Floats y) => Launch("widen_float16", Grid.Elements(n), x, n, y);
}
