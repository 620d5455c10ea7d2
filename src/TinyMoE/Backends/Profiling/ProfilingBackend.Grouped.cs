using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void GroupedMatMul(
        Values x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue = default)
    {
        double area = Area(N, outputs);
        using (Time(
            new(nameof(GroupedMatMul), N, outputs, inputs), flops: 2.0 * area * inputs + Flops(epilogue, area),
            values: In(x, Area(N, inputs)) + Values(w, 1.0 * E * outputs * inputs) + Out(y, area) + Values(epilogue, area),
            products: 2.0 * area * inputs))
            device?.GroupedMatMul(x, w, offsets, E, N, inputs, outputs, y, epilogue);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardInput(Values dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        using (Time(
            new(nameof(GroupedMatMulBackwardInput), N, inputs, outputs), flops: 2.0 * N * inputs * outputs,
            values: In(dy, Area(N, outputs)) + Values(w, 1.0 * E * outputs * inputs) + Out(dx, Area(N, inputs)),
            products: 2.0 * N * inputs * outputs))
            device?.GroupedMatMulBackwardInput(dy, w, offsets, E, N, inputs, outputs, dx);
    }

    /// <inheritdoc/>
    public override void GroupedMatMulBackwardWeight(Values dy, Values x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        using (Time(
            new(nameof(GroupedMatMulBackwardWeight), N, outputs, inputs), flops: 2.0 * N * inputs * outputs,
            values: In(dy, Area(N, outputs)) + In(x, Area(N, inputs)) + Out(dw, 1.0 * E * outputs * inputs),
            products: 2.0 * N * inputs * outputs))
            device?.GroupedMatMulBackwardWeight(dy, x, offsets, E, N, inputs, outputs, dw);
    }

    /// <inheritdoc/>
    public override void GatheredMatMul(
        Values x, Ints tokens, Weights w, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target y,
        in Epilogue epilogue = default)
    {
        double area = Area(rows, outputs);
        using (Time(
            new(nameof(GatheredMatMul), rows, outputs, inputs), flops: 2.0 * area * inputs + Flops(epilogue, area),
            values: In(x, Area(N, inputs)) + rows + Values(w, 1.0 * E * outputs * inputs) + Out(y, area) + Values(epilogue, area),
            products: 2.0 * area * inputs))
            device?.GatheredMatMul(x, tokens, w, offsets, E, rows, N, inputs, outputs, y, epilogue);
    }

    /// <inheritdoc/>
    public override void GatheredMatMulBackwardWeight(
        Values dy, Values x, Ints tokens, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target dw)
    {
        using (Time(
            new(nameof(GatheredMatMulBackwardWeight), rows, outputs, inputs), flops: 2.0 * rows * inputs * outputs,
            values: In(dy, Area(rows, outputs)) + In(x, Area(N, inputs)) + rows + Out(dw, 1.0 * E * outputs * inputs),
            products: 2.0 * rows * inputs * outputs))
            device?.GatheredMatMulBackwardWeight(dy, x, tokens, offsets, E, rows, N, inputs, outputs, dw);
    }

    /// <inheritdoc/>
    public override void GroupedSum(Values x, Ints offsets, int E, int N, int C, Target y)
    {
        using (Time(new(nameof(GroupedSum), N, C), flops: Area(N, C), values: In(x, Area(N, C)) + Out(y, Area(E, C))))
            device?.GroupedSum(x, offsets, E, N, C, y);
    }

    /// <inheritdoc/>
    public override void GroupedBroadcast(Floats x, Ints offsets, int E, int N, int C, Target y)
    {
        using (Time(new(nameof(GroupedBroadcast), N, C), flops: y.Adds ? Area(N, C) : 0, values: Area(E, C) + Out(y, Area(N, C))))
            device?.GroupedBroadcast(x, offsets, E, N, C, y);
    }
}
