using BenchmarkDotNet.Attributes;

namespace TinyMoE.Benchmarks;

/// <summary>From tokens to the assignment.</summary>
public class RouterKernels : BenchKernels
{
    private Floats x, weight, logits, scores, dlogits, gates, dgates;
    private Ints experts, offsets, tokens, rowsByToken, tokenOffsets;

    private protected override void Prepare()
    {
        (x, weight, logits, scores, dlogits) = (Random(N * C), Random(E * C), Random(N * E), Random(N * E), Random(N * E));
        (gates, dgates) = (Random(Rows), Random(Rows));
        (experts, offsets, tokens, rowsByToken, tokenOffsets) = (Zeros(Rows), Zeros(E + 1), Zeros(Rows), Zeros(Rows), Zeros(N + 1));
        RouterAssignment(); // the backward reads its results
    }

    [Benchmark]
    public void RouterLogits() => Backend.MatMul(x, false, weight, true, 1, N, E, C, logits);

    [Benchmark]
    public void RouterLogitsBackwardInput() => Backend.MatMul(logits, false, weight, false, 1, N, C, E, x);

    [Benchmark]
    public void RouterLogitsBackwardWeight() => Backend.MatMul(logits, true, x, false, 1, E, C, N, weight);

    [Benchmark]
    public void RouterAssignment() =>
        Backend.RouteForward(scores, overAll: false, N, E, K, experts, offsets, tokens, rowsByToken, tokenOffsets, gates);

    [Benchmark]
    public void RouterAssignmentBackward() =>
        Backend.RouteBackward(dgates, scores, gates, overAll: false, experts, rowsByToken, N, E, K, dlogits);
}
