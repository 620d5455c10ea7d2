using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernels: native/kernels/attention.cu, whose tiles of 64 rows and 64 or 128 columns of a head decide the grids here, as those of
// attention_backward.cu do. Those on tensor cores have a file of their own.
public sealed unsafe partial class CudaBackend
{
    private const int AttentionTile = 64;
    private const int AttentionThreads = 128;
    private const int MostAttentionColumns = 128;

    /// <inheritdoc/>
    public override bool JoinsProjections => options.JoinsProjections;

    /// <inheritdoc/>
    protected override bool TakesColumns => true;

    /// <inheritdoc/>
    protected override void AttentionForward(
        Floats q, Floats k, Floats v, in AttentionSizes sizes, in Dropout dropout, Floats y, Floats logSumExp)
    {
        (int B, int T, int S, int H, int keyHeads, int D, _) = sizes;
        int valueSize = sizes.ValueSize;
        if (T == 1 && dropout.Rate == 0f && sizes.Stride == 0)
        {
            Grid heads = new(B * H * Ceiling.Divide(valueSize, MostAttentionColumns), Threads: 512);
            Launch("attention_forward_one", heads, q, k, v, S, H, keyHeads, D, valueSize, Math.Min(sizes.Window, S), y, logSumExp);
            return;
        }

        if (OnTensorCores(sizes) && AreAligned(q, k, v, y))
        {
            AttentionForwardOnTensorCores(ElementType.Float32, q, k, v, sizes, dropout, y, logSumExp);
            return;
        }

        DeviceAttention shape = new(sizes, dropout.Rate);
        Launch(
            valueSize <= 64 ? "attention_forward_64" : "attention_forward_128", AttentionGrid(T, B * H, valueSize),
            q, k, v, Argument.At(&shape), AttentionNumbers(sizes, dropout), y, logSumExp);
    }

    /// <summary>A block for each tile of rows of each head, and of each 64 or 128 columns of what it adds up.</summary>
    private static Grid AttentionGrid(int rows, int heads, int D) =>
        new(Ceiling.Divide(rows, AttentionTile) * heads * (D <= 64 ? 1 : Ceiling.Divide(D, MostAttentionColumns)),
            Threads: AttentionThreads);

    /// <summary>struct Shape of native/kernels/attention_shape.cuh, field for field.</summary>
    private readonly record struct DeviceAttention(
        int T, int S, int H, int KvHeads, int D, int ValueSize, int Window, int QueryRow, int KeyRow, int ValueRow, float Rate)
    {
        public DeviceAttention(in AttentionSizes s, float rate)
            : this(
                s.T, s.S, s.H, s.KvHeads, s.D, s.ValueSize, Math.Min(s.Window, s.S), RowOf(s, s.QueryWidth), RowOf(s, s.KeyWidth),
                RowOf(s, s.ValueWidth), rate)
        {
        }

        private static int RowOf(in AttentionSizes s, int width) => s.Stride == 0 ? width : s.Stride;
    }

    private static RandomStream AttentionNumbers(in AttentionSizes s, in Dropout dropout) =>
        RandomStream.Of(dropout.Key, (long)dropout.Key.Part * s.B * s.H * s.T * s.S);
}
