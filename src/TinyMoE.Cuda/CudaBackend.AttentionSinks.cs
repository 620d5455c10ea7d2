using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernels: native/kernels/attention_sinks.cu.
public sealed unsafe partial class CudaBackend
{
    private const int SinkThreads = 256;

    /// <inheritdoc/>
    protected override void AttentionSinksForward(Floats sinks, in AttentionSizes sizes, Floats y, Floats logSumExp)
    {
        int rows = sizes.B * sizes.T * sizes.H;
        Launch("attention_sinks_forward", Grid.Rows(rows, rowsPerBlock: 8), sinks, sizes.T, sizes.H, sizes.ValueSize, rows, y, logSumExp);
    }

    /// <inheritdoc/>
    protected override void AttentionSinksBackward(
        Floats dy, Floats y, Floats sinks, Floats logSumExp, in AttentionSizes sizes, Target dSinks)
    {
        if (dSinks.IsNone)
            return;
        (int B, int T, int H) = (sizes.B, sizes.T, sizes.H);
        DeviceBuffer scratch = Pool.Rent((long)logSumExp.Length * sizeof(float));
        Floats delta = scratch.As<float>(logSumExp.Length);
        AttentionDelta(dy, y, sizes, delta);
        Launch("attention_sinks_backward", Grid.Rows(H, threads: SinkThreads), sinks, logSumExp, delta, B, T, H, dSinks);
        Pool.Return(scratch);
    }
}
