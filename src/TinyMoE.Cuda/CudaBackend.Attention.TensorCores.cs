using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Attention on tensor cores. Kernels: native/kernels/attention.sm_80.cu, the numbers of whose templates stand here. Memory of float32 is
// multiplied in TF32, of bfloat16 in bfloat16; sums and softmax are float32.
public sealed unsafe partial class CudaBackend
{
    private const int LeastTensorHead = 32, TensorHeadUnit = 8;

    private static readonly TiledKernels Tf32Kernels = new(
        Forward:
        [
            new TiledKernel("attention_forward_tf32_64", 64, Warps: 4, Others: 64),
            new TiledKernel("attention_forward_tf32_128", 128, Warps: 4, Others: 32),
            new TiledKernel("attention_forward_tf32_256", 256, Warps: 4, Others: 16),
        ],
        BackwardQueries:
        [
            new TiledKernel("attention_backward_queries_tf32_64", 64, Warps: 4, Others: 32),
            new TiledKernel("attention_backward_queries_tf32_128", 128, Warps: 4, Others: 16),
            new TiledKernel("attention_backward_queries_tf32_256", 256, Warps: 2, Others: 16),
        ],
        BackwardKeys:
        [
            new TiledKernel("attention_backward_keys_tf32_64", 64, Warps: 4, Others: 32),
            new TiledKernel("attention_backward_keys_tf32_128", 128, Warps: 4, Others: 16),
            new TiledKernel("attention_backward_keys_tf32_256", 256, Warps: 2, Others: 16, Columns: 128),
        ]);

    private static readonly TiledKernels Bfloat16Kernels = new(
        Forward:
        [
            new TiledKernel("attention_forward_bf16_64", 64, Warps: 4, Others: 64),
            new TiledKernel("attention_forward_bf16_128", 128, Warps: 4, Others: 64),
            new TiledKernel("attention_forward_bf16_256", 256, Warps: 4, Others: 32),
        ],
        BackwardQueries:
        [
            new TiledKernel("attention_backward_queries_bf16_64", 64, Warps: 4, Others: 64),
            new TiledKernel("attention_backward_queries_bf16_128", 128, Warps: 4, Others: 32),
            new TiledKernel("attention_backward_queries_bf16_256", 256, Warps: 4, Others: 16),
        ],
        BackwardKeys:
        [
            new TiledKernel("attention_backward_keys_bf16_64", 64, Warps: 4, Others: 32),
            new TiledKernel("attention_backward_keys_bf16_128", 128, Warps: 4, Others: 32),
            new TiledKernel("attention_backward_keys_bf16_256", 256, Warps: 4, Others: 16, Columns: 128),
        ]);

    /// <summary>Whether heads of these sizes have kernels on tensor cores, and these are wanted and there.</summary>
    private bool OnTensorCores(in AttentionSizes sizes) =>
        options.TensorCores != TensorCores.Off && HaveTensorCores(sizes);

    /// <summary>Whether heads of these sizes have kernels on tensor cores: from 32 to 256, multiples of 8, as are the rows that they are
    /// columns of; and the card has them.</summary>
    internal bool HaveTensorCores(in AttentionSizes sizes) =>
        (sizes.D | sizes.ValueSize | sizes.Stride) % TensorHeadUnit == 0 && Math.Min(sizes.D, sizes.ValueSize) >= LeastTensorHead
        && LargestHead(sizes) <= Tf32Kernels.Forward[^1].Size && kernels.Has(Tf32Kernels.Forward[0].Name);

    private static int LargestHead(in AttentionSizes sizes) => Math.Max(sizes.D, sizes.ValueSize);

    private static bool AreAligned(params ReadOnlySpan<Values> views)
    {
        foreach (Values view in views)
        {
            if (view.Address % Alignment != 0)
                return false;
        }

        return true;
    }

    /// <inheritdoc/>
    public override void AttentionForward(
        Values q, Values k, Values v, in AttentionSizes sizes, in Dropout dropout, Values y, Floats logSumExp)
    {
        if (AreNarrow(q, k, v, y) && HaveTensorCores(sizes) && AreAligned(q, k, v, y))
            AttentionForwardOnTensorCores(
                ElementType.Bfloat16, Narrow(q), Narrow(k), Narrow(v), sizes, dropout, Narrow(y), logSumExp);
        else
            base.AttentionForward(q, k, v, in sizes, in dropout, y, logSumExp);
    }

    /// <inheritdoc/>
    public override void AttentionBackward(
        Values dy, Values q, Values k, Values v, Values y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles = default)
    {
        if (!AreNarrow(dy, q, k, v, y, dq.Values, dk.Values, dv.Values) || !HaveTensorCores(sizes)
            || !AreAligned(dy, q, k, v, y, dq.Values, dk.Values, dv.Values))
        {
            base.AttentionBackward(dy, q, k, v, y, logSumExp, in sizes, in dropout, dq, dk, dv, in angles);
            return;
        }

        RequireTurnable(sizes, angles, dq, dk);
        if (dq.IsNone && dk.IsNone && dv.IsNone)
            return;
        bool isTurned = angles.Turned <= MostAttentionColumns; // a block of a larger head has so many columns of it
        DeviceBuffer scratch = Pool.Rent((long)logSumExp.Length * sizeof(float));
        Floats delta = scratch.As<float>(logSumExp.Length);
        AttentionDeltaOfBfloat16(Narrow(dy), Narrow(y), sizes, delta);
        AttentionBackwardOnTensorCores(
            ElementType.Bfloat16, Narrow(dy), Narrow(q), Narrow(k), Narrow(v), logSumExp, delta, sizes, dropout,
            isTurned ? angles : default, dq.IsNone ? null : Narrow(dq), Narrow(dk), Narrow(dv), wantsKeys: !dk.IsNone || !dv.IsNone);
        Pool.Return(scratch);
        if (!isTurned)
            TurnBack(dq, dk, sizes, angles);
    }

    /// <summary>As AttentionForward, of memory of this type: q, k, v, y.</summary>
    private void AttentionForwardOnTensorCores(
        ElementType type, Argument q, Argument k, Argument v, in AttentionSizes sizes, in Dropout dropout, Argument y, Floats logSumExp)
    {
        TiledKernel kernel = Fitting(KernelsOf(type).Forward, sizes);
        DeviceAttention shape = new(sizes, dropout.Rate);
        Grid grid = kernel.For(sizes.T, sizes.B * sizes.H, LargestHead(sizes), type, ownTiles: 1, otherTiles: 2);
        Launch(kernel.Name, grid, q, k, v, Argument.At(&shape), AttentionNumbers(sizes, dropout), y, logSumExp);
    }

    /// <summary>As AttentionBackward, of memory of this type: dy, q, k, v and the targets. delta (B, H, T) is dy·y; no
    /// <paramref name="dq"/>: nobody wants it.</summary>
    private void AttentionBackwardOnTensorCores(
        ElementType type, Argument dy, Argument q, Argument k, Argument v, Floats logSumExp, Floats delta, in AttentionSizes sizes,
        in Dropout dropout, in RotaryAngles angles, Argument? dq, Argument dk, Argument dv, bool wantsKeys)
    {
        DeviceAttention shape = new(sizes, dropout.Rate);
        DeviceTurn turn = new(angles);
        RandomStream numbers = AttentionNumbers(sizes, dropout);
        if (dq is { } target)
        {
            TiledKernel kernel = Fitting(KernelsOf(type).BackwardQueries, sizes);
            Grid grid = kernel.For(sizes.T, sizes.B * sizes.H, LargestHead(sizes), type, ownTiles: 2, otherTiles: 2);
            Launch(kernel.Name, grid, dy, q, k, v, logSumExp, delta, Argument.At(&shape), numbers, Argument.At(&turn), target);
        }

        if (wantsKeys)
        {
            TiledKernel kernel = Fitting(KernelsOf(type).BackwardKeys, sizes);
            Grid grid = kernel.For(
                sizes.S, sizes.B * sizes.KvHeads, LargestHead(sizes), type, ownTiles: 2, otherTiles: 2, floatsPerOther: 2);
            Launch(kernel.Name, grid, dy, q, k, v, logSumExp, delta, Argument.At(&shape), numbers, Argument.At(&turn), dk, dv);
        }
    }

    /// <summary>delta (B, H, T) = dy·y of memory in bfloat16.</summary>
    private void AttentionDeltaOfBfloat16(Argument dy, Argument y, in AttentionSizes sizes, Floats delta)
    {
        int rows = sizes.B * sizes.T * sizes.H;
        Launch(
            "attention_backward_delta_bf16", Grid.Rows(rows, rowsPerBlock: 8), dy, y, sizes.T, sizes.H, sizes.ValueSize, rows, delta);
    }

    private static TiledKernels KernelsOf(ElementType type) => type == ElementType.Bfloat16 ? Bfloat16Kernels : Tf32Kernels;

    private static TiledKernel Fitting(TiledKernel[] kernels, in AttentionSizes sizes)
    {
        int size = LargestHead(sizes);
        return Array.Find(kernels, kernel => size <= kernel.Size)!;
    }

    /// <summary>The kernels for memory of one type, each by size.</summary>
    private sealed record TiledKernels(TiledKernel[] Forward, TiledKernel[] BackwardQueries, TiledKernel[] BackwardKeys);
}
