using BenchmarkDotNet.Attributes;

namespace TinyMoE.Benchmarks;

/// <summary>The norms before attention, experts and head.</summary>
public class NormKernels : BenchKernels
{
    private const float Epsilon = 1e-5f;

    private Floats x, y, dx, weight, bias, dw, db, r, mean;

    private protected override void Prepare()
    {
        (x, y, dx) = (Random(N * C), Random(N * C), Random(N * C));
        (weight, bias, dw, db) = (Random(C), Random(C), Random(C), Random(C));
        (r, mean) = (Random(N), Random(N));
    }

    [Benchmark]
    public void RmsNormForward() => Backend.RmsNormForward(x, weight, N, C, Epsilon, y, r);

    [Benchmark]
    public void RmsNormBackward() => Backend.RmsNormBackward(y, x, weight, r, N, C, dx, dw);

    [Benchmark]
    public void LayerNormForward() => Backend.LayerNormForward(x, weight, bias, N, C, Epsilon, y, mean, r);

    [Benchmark]
    public void LayerNormBackward() => Backend.LayerNormBackward(y, x, weight, mean, r, N, C, dx, dw, db);
}
