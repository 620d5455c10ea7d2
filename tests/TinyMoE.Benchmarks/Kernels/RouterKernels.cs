using BenchmarkDotNet.Attributes;

namespace TinyMoE.Benchmarks;

/// <summary>From tokens to the assignment.</summary>
public class RouterKernels : BenchKernels
{
    private Floats x, weight, logits, probabilities, gates;
    private Ints choices, chosen, offsets, tokens, choiceOfRow, rowsByToken, tokenOffsets;

    private protected override void Prepare()
    {
        (x, weight, logits, probabilities, gates) = (Random(N * C), Random(E * C), Random(N * E), Random(N * E), Random(N * K));
        (choices, chosen) = (RandomChoices(), Zeros(N * K));
        (offsets, tokens, choiceOfRow, rowsByToken, tokenOffsets) = (Zeros(E + 1), Zeros(Rows), Zeros(Rows), Zeros(Rows), Zeros(N + 1));
    }

    [Benchmark]
    public void RouterLogits() => Backend.MatMul(x, false, weight, true, 1, N, E, C, logits);

    [Benchmark]
    public void RouterBackwardInput() => Backend.MatMul(logits, false, weight, false, 1, N, C, E, x);

    [Benchmark]
    public void RouterBackwardWeight() => Backend.MatMul(logits, true, x, false, 1, E, C, N, weight);

    [Benchmark]
    public void RouterTopK() => Backend.TopK(probabilities, N, E, K, chosen);

    [Benchmark]
    public void RouterGates() => Backend.SoftmaxForward(gates, N, K, gates);

    [Benchmark]
    public void RouterAssign() => Backend.Assign(choices, N, E, K, offsets, tokens, choiceOfRow, rowsByToken, tokenOffsets);
}
