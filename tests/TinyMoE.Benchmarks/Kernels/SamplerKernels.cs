using BenchmarkDotNet.Attributes;
using TinyMoE.Backends;
using TinyMoE.Generate;

namespace TinyMoE.Benchmarks;

/// <summary>The choice of a token, beside a sort of the same logits that compares (the runtime's own).</summary>
public class SamplerKernels
{
    private float[] logits = [], keys = [];
    private int[] order = [];
    private Sampler sampler = null!;
    private int index;

    [Params(256, 50304)]
    public int Vocabulary { get; set; }

    [Params(0, 50)]
    public int TopK { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        Random random = new(1);
        logits = [.. Enumerable.Range(0, Vocabulary).Select(_ => (float)(random.NextDouble() - 0.5) * 20)];
        (keys, order) = (new float[Vocabulary], new int[Vocabulary]);
        sampler = new Sampler(new SamplingOptions { TopK = TopK }.Rules, Vocabulary);
    }

    [Benchmark]
    public int Choose() => sampler.Choose(logits, index++);

    [Benchmark(Baseline = true)]
    public void SortByComparisons()
    {
        for (int v = 0; v < order.Length; v++)
            (order[v], keys[v]) = (v, -logits[v]);
        keys.AsSpan().Sort(order.AsSpan());
    }
}
