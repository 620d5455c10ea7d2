using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernels: native/kernels/attention.cu, whose tiles of 64 rows and 64 or 128 columns of a head decide the grids here. Those on tensor
// cores have a file of their own.
public sealed unsafe partial class CudaBackend
{
    private const int AttentionTile = 64;
    private const int AttentionThreads = 128;
    private const int MostAttentionColumns = 128;
    private const int SinkThreads = 256;

    /// <inheritdoc/>
    protected override void AttentionForward(
        Floats q, Floats k, Floats v, in AttentionSizes sizes, in Dropout dropout, Floats y, Floats logSumExp)
    {
        (int B, int T, int S, int H, int keyHeads, int D, _) = sizes;
        int window = Math.Min(sizes.Window, S), valueSize = sizes.ValueSize;
        if (T == 1 && dropout.Rate == 0f)
        {
            Grid heads = new(B * H * Ceiling.Divide(valueSize, MostAttentionColumns), Threads: 512);
            Launch("attention_forward_one", heads, q, k, v, S, H, keyHeads, D, valueSize, window, y, logSumExp);
            return;
        }

        if (OnTensorCores(sizes) && AreAligned(q, k, v, y))
        {
            AttentionForwardOnTensorCores(ElementType.Float32, q, k, v, sizes, dropout, y, logSumExp);
            return;
        }

        Launch(
            valueSize <= 64 ? "attention_forward_64" : "attention_forward_128", AttentionGrid(T, B * H, valueSize),
            q, k, v, T, S, H, keyHeads, D, valueSize, window, dropout.Rate, AttentionNumbers(sizes, dropout), y, logSumExp);
    }

    /// <inheritdoc/>
    protected override void AttentionBackward(
        Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv)
    {
        if (dq.IsNone && dk.IsNone && dv.IsNone)
            return;
        (int B, int T, int S, int H, int keyHeads, int D, _) = sizes;
        int window = Math.Min(sizes.Window, S), valueSize = sizes.ValueSize;
        RandomStream numbers = AttentionNumbers(sizes, dropout);
        DeviceBuffer scratch = Pool.Rent((long)logSumExp.Length * sizeof(float));
        Floats delta = scratch.As<float>(logSumExp.Length);

        int rows = B * T * H;
        Launch("attention_backward_delta", Grid.Rows(rows, rowsPerBlock: 8), dy, y, T, H, valueSize, rows, delta);
        if (OnTensorCores(sizes) && AreAligned(dy, q, k, v) && AreAligned(dq.View, dk.View, dv.View))
        {
            AttentionBackwardOnTensorCores(
                ElementType.Float32, dy, q, k, v, logSumExp, delta, sizes, dropout, dq.IsNone ? null : dq, dk, dv,
                wantsKeys: !dk.IsNone || !dv.IsNone);
            Pool.Return(scratch);
            return;
        }

        if (!dq.IsNone)
        {
            Launch(
                D <= 64 ? "attention_backward_queries_64" : "attention_backward_queries_128", AttentionGrid(T, B * H, D),
                dy, q, k, v, logSumExp, delta, T, S, H, keyHeads, D, valueSize, window, dropout.Rate, numbers, dq);
        }

        if (valueSize == D && (!dk.IsNone || !dv.IsNone))
        {
            Launch(
                D <= 64 ? "attention_backward_keys_64" : "attention_backward_keys_128", AttentionGrid(S, B * keyHeads, D),
                dy, q, k, v, logSumExp, delta, T, S, H, keyHeads, D, window, dropout.Rate, numbers, dk, dv);
        }

        if (valueSize != D && !dk.IsNone)
        {
            Launch(
                D <= 64 ? "attention_backward_own_keys_64" : "attention_backward_own_keys_128", AttentionGrid(S, B * keyHeads, D),
                dy, q, k, v, logSumExp, delta, T, S, H, keyHeads, D, valueSize, window, dropout.Rate, numbers, dk);
        }

        if (valueSize != D && !dv.IsNone)
        {
            Launch(
                valueSize <= 64 ? "attention_backward_own_values_64" : "attention_backward_own_values_128",
                AttentionGrid(S, B * keyHeads, valueSize),
                dy, q, k, v, logSumExp, delta, T, S, H, keyHeads, D, valueSize, window, dropout.Rate, numbers, dv);
        }

        Pool.Return(scratch);
    }

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
        (int B, int T, int H, int D) = (sizes.B, sizes.T, sizes.H, sizes.ValueSize);
        DeviceBuffer scratch = Pool.Rent((long)logSumExp.Length * sizeof(float));
        Floats delta = scratch.As<float>(logSumExp.Length);
        Launch("attention_backward_delta", Grid.Rows(B * T * H, rowsPerBlock: 8), dy, y, T, H, D, B * T * H, delta);
        Launch("attention_sinks_backward", Grid.Rows(H, threads: SinkThreads), sinks, logSumExp, delta, B, T, H, dSinks);
        Pool.Return(scratch);
    }

    /// <summary>A block for each tile of rows of each head, and of each 64 or 128 columns of what it adds up.</summary>
    private static Grid AttentionGrid(int rows, int heads, int D) =>
        new(Ceiling.Divide(rows, AttentionTile) * heads * (D <= 64 ? 1 : Ceiling.Divide(D, MostAttentionColumns)),
            Threads: AttentionThreads);

    private static RandomStream AttentionNumbers(in AttentionSizes s, in Dropout dropout) =>
        RandomStream.Of(dropout.Key, (long)dropout.Key.Part * s.B * s.H * s.T * s.S);
}
