using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void SoftmaxForward(Floats x, int N, int C, Floats y)
    {
        using (Time(new(nameof(SoftmaxForward), N, C), flops: 5.0 * N * C, values: 2.0 * N * C))
            device?.SoftmaxForward(x, N, C, y);
    }

    /// <inheritdoc/>
    public override void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx)
    {
        using (Time(new(nameof(SoftmaxBackward), N, C), flops: 4.0 * N * C, values: 2.0 * N * C + Out(dx, Area(N, C))))
            device?.SoftmaxBackward(dy, y, N, C, dx);
    }

    /// <inheritdoc/>
    public override void LogSumExpForward(Floats x, int N, int C, Floats y)
    {
        using (Time(new(nameof(LogSumExpForward), N, C), flops: 4.0 * N * C, values: Area(N, C) + N))
            device?.LogSumExpForward(x, N, C, y);
    }

    /// <inheritdoc/>
    public override void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx)
    {
        using (Time(new(nameof(LogSumExpBackward), N, C), flops: 3.0 * N * C, values: Area(N, C) + 2.0 * N + Out(dx, Area(N, C))))
            device?.LogSumExpBackward(dy, x, y, N, C, dx);
    }

    /// <inheritdoc/>
    public override void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp)
    {
        using (Time(new(nameof(CrossEntropyForward), N, V), flops: 4.0 * N * V, values: Area(N, V) + 2.0 * N))
            device?.CrossEntropyForward(logits, targets, N, V, loss, logSumExp);
    }

    /// <inheritdoc/>
    public override void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits)
    {
        using (Time(new(nameof(CrossEntropyBackward), N, V), flops: 3.0 * N * V, values: Area(N, V) + 2.0 * N + Out(dlogits, Area(N, V))))
            device?.CrossEntropyBackward(dloss, logits, targets, logSumExp, N, V, dlogits);
    }

    /// <inheritdoc/>
    public override void ZLossForward(Floats logits, Floats mask, float scale, int N, int E, Floats loss, Floats logSumExp)
    {
        using (Time(new(nameof(ZLossForward), N, E), flops: 3.0 * N * E, values: Area(N, E) + N + mask.Length))
            device?.ZLossForward(logits, mask, scale, N, E, loss, logSumExp);
    }

    /// <inheritdoc/>
    public override void ZLossBackward(
        Floats dloss, Floats logits, Floats mask, Floats logSumExp, float scale, int N, int E, Target dlogits)
    {
        using (Time(new(nameof(ZLossBackward), N, E), flops: 3.0 * N * E, values: Area(N, E) + N + mask.Length + Out(dlogits, Area(N, E))))
            device?.ZLossBackward(dloss, logits, mask, logSumExp, scale, N, E, dlogits);
    }
}
