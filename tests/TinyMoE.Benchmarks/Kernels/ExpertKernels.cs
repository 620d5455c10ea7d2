using BenchmarkDotNet.Attributes;
using TinyMoE.Backends;

namespace TinyMoE.Benchmarks;

/// <summary>
/// From the assignment to the mixture's output: dispatch, the two products of every expert and what stands between them, combine.
/// </summary>
public class ExpertKernels : BenchKernels
{
    private Floats x, rows, gate, up, hidden, gateGradient, upGradient, down, weights, rowGradient, weightGradient, upWeight, downWeight;
    private Ints offsets, tokens, choiceOfRow, rowsByToken, tokenOffsets;

    private protected override void Prepare()
    {
        (x, rows, rowGradient, down) = (Random(N * C), Random(Rows * C), Random(Rows * C), Random(Rows * C));
        (gate, up, hidden, gateGradient, upGradient) =
            (Random(Rows * F), Random(Rows * F), Random(Rows * F), Random(Rows * F), Random(Rows * F));
        (upWeight, downWeight) = (Random(E * F * C), Random(E * C * F));
        (weights, weightGradient) = (Random(Rows), Random(Rows));
        (offsets, tokens, choiceOfRow, rowsByToken, tokenOffsets) = (Zeros(E + 1), Zeros(Rows), Zeros(Rows), Zeros(Rows), Zeros(N + 1));
        Backend.Assign(RandomChoices(), N, E, K, Rows, offsets, tokens, choiceOfRow, rowsByToken, tokenOffsets);
    }

    [Benchmark]
    public void DispatchForward() => Backend.DispatchForward(x, tokens, tokenOffsets, rowsByToken, Rows, N, C, rows);

    [Benchmark]
    public void DispatchBackward() => Backend.DispatchBackward(rows, tokenOffsets, rowsByToken, Rows, N, C, x);

    [Benchmark]
    public void ExpertUp() => Backend.GroupedMatMul(rows, upWeight, offsets, E, Rows, C, F, hidden);

    [Benchmark]
    public void ExpertUpBackwardInput() => Backend.GroupedMatMulBackwardInput(hidden, upWeight, offsets, E, Rows, C, F, rows);

    [Benchmark]
    public void ExpertUpBackwardWeight() => Backend.GroupedMatMulBackwardWeight(hidden, rows, offsets, E, Rows, C, F, upWeight);

    [Benchmark]
    public void ExpertUpGated() =>
        Backend.GroupedMatMul(rows, upWeight, offsets, E, Rows, C, F, up, new Epilogue { Gate = gate, Activated = hidden });

    [Benchmark]
    public void ExpertSwiGluBackward() => Backend.SwiGluBackward(hidden, gate, up, Rows * F, gateGradient, upGradient);

    [Benchmark]
    public void ExpertDown() => Backend.GroupedMatMul(hidden, downWeight, offsets, E, Rows, F, C, down);

    [Benchmark]
    public void ExpertDownBackwardInput() => Backend.GroupedMatMulBackwardInput(down, downWeight, offsets, E, Rows, F, C, hidden);

    [Benchmark]
    public void ExpertDownBackwardWeight() => Backend.GroupedMatMulBackwardWeight(down, hidden, offsets, E, Rows, F, C, downWeight);

    [Benchmark]
    public void CombineForward() => Backend.CombineForward(down, weights, tokenOffsets, rowsByToken, Rows, N, C, x);

    [Benchmark]
    public void CombineBackward() => Backend.CombineBackward(x, down, weights, tokens, Rows, N, C, rowGradient, weightGradient);
}
