using BenchmarkDotNet.Attributes;

namespace TinyMoE.Benchmarks;

/// <summary>The norms before attention, experts and head, each with the residual before it.</summary>
public class NormKernels : BenchKernels
{
    private const float Epsilon = 1e-5f;

    private Floats x, branch, s, y, ds, dx, dbranch, weight, bias, dw, db, r, mean;

    private protected override void Prepare()
    {
        (x, branch, s, y) = (Random(N * C), Random(N * C), Random(N * C), Random(N * C));
        (ds, dx, dbranch) = (Random(N * C), Random(N * C), Random(N * C));
        (weight, bias, dw, db) = (Random(C), Random(C), Random(C), Random(C));
        (r, mean) = (Random(N), Random(N));
    }

    [Benchmark]
    public void RmsNormForward() => Backend.RmsNormForward(x, branch, weight, N, C, Epsilon, s, y, r);

    [Benchmark]
    public void RmsNormBackward() => Backend.RmsNormBackward(y, ds, s, weight, r, N, C, dx, dbranch, dw);

    [Benchmark]
    public void LayerNormForward() => Backend.LayerNormForward(x, branch, weight, bias, N, C, Epsilon, s, y, mean, r);

    [Benchmark]
    public void LayerNormBackward() => Backend.LayerNormBackward(y, ds, s, weight, mean, r, N, C, dx, dbranch, dw, db);
}
