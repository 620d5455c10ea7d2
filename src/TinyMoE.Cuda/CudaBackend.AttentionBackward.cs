using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernels: native/kernels/attention_backward.cu.
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    protected override void AttentionBackward(
        Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles)
    {
        if (dq.IsNone && dk.IsNone && dv.IsNone)
            return;
        (int B, int T, int S, int H, int keyHeads, int D, _) = sizes;
        int valueSize = sizes.ValueSize;
        DeviceAttention shape = new(sizes, dropout.Rate);
        RandomStream numbers = AttentionNumbers(sizes, dropout);
        DeviceBuffer scratch = Pool.Rent((long)logSumExp.Length * sizeof(float));
        Floats delta = scratch.As<float>(logSumExp.Length);

        AttentionDelta(dy, y, sizes, delta);
        if (OnTensorCores(sizes) && AreAligned(dy, q, k, v) && AreAligned(dq.View, dk.View, dv.View))
        {
            bool isTurned = angles.Turned <= MostAttentionColumns;
            AttentionBackwardOnTensorCores(
                ElementType.Float32, dy, q, k, v, logSumExp, delta, sizes, dropout, isTurned ? angles : default, dq.IsNone ? null : dq, dk,
                dv, wantsKeys: !dk.IsNone || !dv.IsNone);
            Pool.Return(scratch);
            if (!isTurned)
                TurnBack(dq, dk, sizes, angles);
            return;
        }

        bool turns = D <= MostAttentionColumns; // a block has all columns of a row
        DeviceTurn turn = new(turns ? angles : default);

        if (!dq.IsNone)
        {
            Launch(
                D <= 64 ? "attention_backward_queries_64" : "attention_backward_queries_128", AttentionGrid(T, B * H, D),
                dy, q, k, v, logSumExp, delta, Argument.At(&shape), numbers, Argument.At(&turn), dq);
        }

        if (valueSize == D && (!dk.IsNone || !dv.IsNone))
        {
            Launch(
                D <= 64 ? "attention_backward_keys_64" : "attention_backward_keys_128", AttentionGrid(S, B * keyHeads, D),
                dy, q, k, v, logSumExp, delta, Argument.At(&shape), numbers, Argument.At(&turn), dk, dv);
        }

        if (valueSize != D && !dk.IsNone)
        {
            Launch(
                D <= 64 ? "attention_backward_own_keys_64" : "attention_backward_own_keys_128", AttentionGrid(S, B * keyHeads, D),
                dy, q, k, v, logSumExp, delta, Argument.At(&shape), numbers, Argument.At(&turn), dk);
        }

        if (valueSize != D && !dv.IsNone)
        {
            Launch(
                valueSize <= 64 ? "attention_backward_own_values_64" : "attention_backward_own_values_128",
                AttentionGrid(S, B * keyHeads, valueSize),
                dy, q, k, v, logSumExp, delta, Argument.At(&shape), numbers, dv);
        }

        Pool.Return(scratch);
        if (!turns)
            TurnBack(dq, dk, sizes, angles);
    }

    /// <summary>delta (B, H, T) = dy·y.</summary>
    private void AttentionDelta(Floats dy, Floats y, in AttentionSizes sizes, Floats delta)
    {
        int rows = sizes.B * sizes.T * sizes.H;
        Launch("attention_backward_delta", Grid.Rows(rows, rowsPerBlock: 8), dy, y, sizes.T, sizes.H, sizes.ValueSize, rows, delta);
    }

    /// <summary>struct Turn of native/kernels/attention_shape.cuh, field for field.</summary>
    private readonly record struct DeviceTurn(nint Cos, nint Sin, int Turned, int Start, int Interleaved)
    {
        public DeviceTurn(in RotaryAngles angles)
            : this(angles.Cos.Address, angles.Sin.Address, angles.Turned, angles.Start, angles.Interleaved ? 1 : 0)
        {
        }
    }
}
