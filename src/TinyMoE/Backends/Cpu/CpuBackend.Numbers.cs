using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SumNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, Target y)
    {
        if (y.IsNone)
            return;
        float sum = 0f;
        for (int i = 0; i < x.Length; i++)
            sum += weights[i] * *x[i].Pointer;
        Write(y, 0, sum);
    }

    /// <inheritdoc/>
    public override void ScaleNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, ReadOnlySpan<Target> y)
    {
        for (int i = 0; i < x.Length; i++)
        {
            if (!y[i].IsNone)
                Write(y[i], 0, weights[i] * *x[i].Pointer);
        }
    }
}
