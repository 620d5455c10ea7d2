using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        using (Time(new(nameof(DispatchForward), N, C), flops: 0, values: Area(T, C) + N + Area(N, C)))
            device?.DispatchForward(x, tokens, tokenOffsets, rowsByToken, N, T, C, y);
    }

    /// <inheritdoc/>
    public override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx)
    {
        using (Time(new(nameof(DispatchBackward), N, C), flops: Area(N, C), values: Area(N, C) + N + T + Out(dx, Area(T, C))))
            device?.DispatchBackward(dy, tokenOffsets, rowsByToken, N, T, C, dx);
    }

    /// <inheritdoc/>
    public override void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        using (Time(new(nameof(CombineForward), N, C), flops: 2.0 * N * C, values: Area(N, C) + 2.0 * N + T + Area(T, C)))
            device?.CombineForward(x, w, tokenOffsets, rowsByToken, N, T, C, y);
    }

    /// <inheritdoc/>
    public override void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw)
    {
        using (Time(
            new(nameof(CombineBackward), N, C), flops: 3.0 * N * C,
            values: Area(T, C) + Area(N, C) + 2.0 * N + Out(dx, Area(N, C)) + Out(dw, N)))
            device?.CombineBackward(dy, x, w, tokens, N, T, C, dx, dw);
    }
}
