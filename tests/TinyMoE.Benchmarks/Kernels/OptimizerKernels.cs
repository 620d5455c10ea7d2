using BenchmarkDotNet.Attributes;
using TinyMoE.Backends;
using TinyMoE.Models;

namespace TinyMoE.Benchmarks;

/// <summary>One update of all weights, and the norm that the clip needs.</summary>
public class OptimizerKernels : BenchKernels
{
    private static readonly AdamWStep Step =
        new(Step: 100, LearningRate: 1e-6f, Beta1: 0.9f, Beta2: 0.999f, Epsilon: 1e-8f, WeightDecay: 0.01f, Clip: 1f);

    private int weights;
    private Floats w, g, m, v, norm;

    private protected override void Prepare()
    {
        weights = (int)ModelSize.Of(Config).TotalParameters;
        (w, g, m, v) = (Random(weights), Random(weights), Random(weights), Random(weights));
        norm = Random(1);
        Backend.Affine(v, 1f, 0.5f, weights, v); // a mean of squares is not negative
    }

    [Benchmark]
    public void AdamW() => Backend.AdamW(g, norm, Step, weights, w, m, v);

    [Benchmark]
    public void GradientNorm() => Backend.Norm(g, weights, norm);
}
