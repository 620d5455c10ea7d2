using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Cuda;

// native/kernels/random.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void FillUniform(RandomKey key, int n, Floats y) => Launch("fill_uniform", DrawGrid(n), StreamOf(key, n), n, y);

    /// <inheritdoc/>
    public override void FillNormal(RandomKey key, int n, Floats y) => Launch("fill_normal", DrawGrid(n), StreamOf(key, n), n, y);

    /// <inheritdoc/>
    public override void Jitter(Floats x, float width, RandomKey key, int n, Target y)
    {
        if (!y.IsNone)
            Launch("jitter", DrawGrid(n), StreamOf(key, n), width, x, n, y);
    }

    /// <inheritdoc/>
    protected override void Dropout(Floats x, in Dropout dropout, int n, Target y)
    {
        if (!y.IsNone)
            Launch("dropout", DrawGrid(n), StreamOf(dropout.Key, n), dropout.Rate, 1f / (1f - dropout.Rate), x, n, y);
    }

    /// <inheritdoc/>
    public override void Dropout(Values x, in Dropout dropout, int n, Target y)
    {
        if (!AreNarrow(x, y.Values))
            base.Dropout(x, in dropout, n, y);
        else if (!y.IsNone)
            Launch("dropout_bfloat16", DrawGrid(n), StreamOf(dropout.Key, n), dropout.Rate, 1f / (1f - dropout.Rate), Narrow(x), n,
                Narrow(y));
    }

    /// <summary>A thread a Philox block; the first may hang out by three numbers.</summary>
    private static Grid DrawGrid(int n) => Grid.Elements(n == 0 ? 0 : n + 3L);

    /// <summary>The numbers of n elements: part p begins at p·n.</summary>
    private static RandomStream StreamOf(RandomKey key, int n) => RandomStream.Of(key, (long)key.Part * n);
}
