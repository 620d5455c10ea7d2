using TinyMoE.Memory;

namespace TinyMoE.Backends.Widening;

// Attention and rotary positions of columns of a matrix, for kernels whose rows lie one behind the other: the columns are copied to dense
// scratch, in their own type, and what is computed there is copied back.
public abstract partial class WideningBackend
{
    /// <summary>Whether the kernels of attention and rotary positions in float32 take columns of a matrix as they lie.</summary>
    protected virtual bool TakesColumns => false;

    private bool IsOfColumns(Values x, int stride) => stride > 0 && !(TakesColumns && x.Type == ElementType.Float32);

    private void AttentionForwardOfColumns(
        Values q, Values k, Values v, in AttentionSizes sizes, in Dropout dropout, Values y, Floats logSumExp)
    {
        (int queries, int keys) = (sizes.B * sizes.T, sizes.B * sizes.S);
        using Columns of = new(this, sizes.Stride);
        AttentionForward(
            of.In(q, queries, sizes.QueryWidth), of.In(k, keys, sizes.KeyWidth), of.In(v, keys, sizes.ValueWidth),
            sizes with { Stride = 0 }, in dropout, y, logSumExp);
    }

    private void AttentionBackwardOfColumns(
        Values dy, Values q, Values k, Values v, Values y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles)
    {
        (int queries, int keys) = (sizes.B * sizes.T, sizes.B * sizes.S);
        using Columns of = new(this, sizes.Stride);
        AttentionBackward(
            dy, of.In(q, queries, sizes.QueryWidth), of.In(k, keys, sizes.KeyWidth), of.In(v, keys, sizes.ValueWidth), y, logSumExp,
            sizes with { Stride = 0 }, in dropout, of.Out(dq, queries, sizes.QueryWidth), of.Out(dk, keys, sizes.KeyWidth),
            of.Out(dv, keys, sizes.ValueWidth), in angles);
    }

    private void RopeOfColumns(Values q, Values k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk)
    {
        (int N, int queries, int keys) = (sizes.B * sizes.T, sizes.H * sizes.D, sizes.KvHeads * sizes.D);
        using Columns of = new(this, sizes.Stride);
        Rope(
            of.In(q, N, queries), of.In(k, N, keys), cos, sin, sizes with { Stride = 0 }, inverse, of.Out(yq, N, queries),
            of.Out(yk, N, keys));
    }

    /// <summary>Columns in dense scratch for one call: results go to where they belong when it is disposed.</summary>
    private readonly ref struct Columns(WideningBackend backend, int stride)
    {
        private readonly List<DenseColumns> all = []; // of each: to copy back, and to give back

        /// <summary>What a kernel reads: <paramref name="N"/> rows of <paramref name="C"/> columns.</summary>
        public Values In(Values x, int N, int C)
        {
            if (x.IsNone)
                return default;
            Values dense = Rent(x.Type, N, C, Target.None);
            backend.CopyColumns(x, stride, 0, N, C, C, 0, dense);
            return dense;
        }

        /// <summary>What it stores; a sum is made when it is copied back.</summary>
        public Target Out(Target y, int N, int C) => y.IsNone ? Target.None : Rent(y.Type, N, C, y);

        public void Dispose()
        {
            foreach ((DeviceBuffer buffer, Values dense, int N, int C, Target y) in all)
            {
                backend.CopyColumns(dense, C, 0, N, C, stride, 0, y);
                backend.ScratchPool.Return(buffer);
            }
        }

        private Values Rent(ElementType type, int N, int C, Target y)
        {
            DeviceBuffer buffer = backend.ScratchPool.Rent(type.BytesOf((long)N * C), "columns of attention");
            Values dense = Values.At(buffer.Address, N * C, type);
            all.Add(new DenseColumns(buffer, dense, N, C, y));
            return dense;
        }
    }

    private readonly record struct DenseColumns(DeviceBuffer Buffer, Values Dense, int N, int C, Target Y);
}
