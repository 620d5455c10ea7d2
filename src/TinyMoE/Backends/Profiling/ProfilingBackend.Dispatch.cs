using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void DispatchForward(Values x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y)
    {
        using (Time(new(nameof(DispatchForward), rows, C), flops: 0, values: In(x, Area(N, C)) + rows + In(y, Area(rows, C))))
            device?.DispatchForward(x, tokens, tokenOffsets, rowsByToken, rows, N, C, y);
    }

    /// <inheritdoc/>
    public override void DispatchBackward(Values dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx)
    {
        using (Time(
            new(nameof(DispatchBackward), rows, C), flops: Area(rows, C), values: In(dy, Area(rows, C)) + rows + N + Out(dx, Area(N, C))))
            device?.DispatchBackward(dy, tokenOffsets, rowsByToken, rows, N, C, dx);
    }

    /// <inheritdoc/>
    public override void CombineForward(Values x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y)
    {
        using (Time(
            new(nameof(CombineForward), rows, C), flops: 2.0 * rows * C,
            values: In(x, Area(rows, C)) + 2.0 * rows + N + In(y, Area(N, C))))
            device?.CombineForward(x, gates, tokenOffsets, rowsByToken, rows, N, C, y);
    }

    /// <inheritdoc/>
    public override void CombineBackward(Values dy, Values x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates)
    {
        using (Time(
            new(nameof(CombineBackward), rows, C), flops: 3.0 * rows * C,
            values: In(dy, Area(N, C)) + In(x, Area(rows, C)) + 2.0 * rows + Out(dx, Area(rows, C)) + Out(dgates, rows)))
            device?.CombineBackward(dy, x, gates, tokens, rows, N, C, dx, dgates);
    }
}
