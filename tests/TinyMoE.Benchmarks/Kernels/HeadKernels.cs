using BenchmarkDotNet.Attributes;

namespace TinyMoE.Benchmarks;

/// <summary>Embedding, language-model head and loss.</summary>
public class HeadKernels : BenchKernels
{
    private Floats x, weight, logits, dlogits, logSumExp, loss, dloss;
    private Ints ids;

    private protected override void Prepare()
    {
        Random random = new(1);
        (x, weight, logits, dlogits) = (Random(N * C), Random(V * C), Random(N * V), Random(N * V));
        (logSumExp, loss, dloss) = (Random(N), Random(1), Random(1));
        ids = Indices(Enumerable.Range(0, N).Select(_ => random.Next(V)));
    }

    [Benchmark]
    public void EmbeddingForward() => Backend.EmbeddingForward(weight, ids, N, V, C, x);

    [Benchmark]
    public void EmbeddingBackward() => Backend.EmbeddingBackward(x, ids, N, V, C, weight);

    [Benchmark]
    public void LanguageModelHead() => Backend.MatMul(x, false, weight, true, 1, N, V, C, dlogits);

    [Benchmark]
    public void LanguageModelHeadBackwardInput() => Backend.MatMul(logits, false, weight, false, 1, N, C, V, x);

    [Benchmark]
    public void LanguageModelHeadBackwardWeight() => Backend.MatMul(logits, true, x, false, 1, V, C, N, weight);

    [Benchmark]
    public void CrossEntropyForward() => Backend.CrossEntropyForward(logits, ids, N, V, loss, logSumExp);

    [Benchmark]
    public void CrossEntropyBackward() => Backend.CrossEntropyBackward(dloss, logits, ids, logSumExp, N, V, dlogits);
}
