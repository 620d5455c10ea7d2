using BenchmarkDotNet.Attributes;
using TinyMoE.Backends;

namespace TinyMoE.Benchmarks;

/// <summary>Projections, rotation and causal attention with grouped queries.</summary>
public class AttentionKernels : BenchKernels
{
    private Floats x, q, k, v, y, logSumExp, dq, dk, dv, queryWeight, keyWeight, cos, sin;
    private AttentionSizes sizes;

    private protected override void Prepare()
    {
        int keyWidth = KvHeads * D;
        (x, q, y, dq) = (Random(N * C), Random(N * C), Random(N * C), Random(N * C));
        (k, v, dk, dv) = (Random(N * keyWidth), Random(N * keyWidth), Random(N * keyWidth), Random(N * keyWidth));
        (queryWeight, keyWeight) = (Random(C * C), Random(keyWidth * C));
        (cos, sin, logSumExp) = (Random(T * D / 2), Random(T * D / 2), Random(B * H * T));
        sizes = new AttentionSizes(B, T, T, H, KvHeads, D);
        AttentionForward(); // the backward reads its results
    }

    [Benchmark]
    public void AttentionQuery() => Backend.MatMul(x, false, queryWeight, true, 1, N, C, C, dq);

    [Benchmark]
    public void AttentionKey() => Backend.MatMul(x, false, keyWeight, true, 1, N, KvHeads * D, C, dk);

    [Benchmark]
    public void AttentionQueryBackwardWeight() => Backend.MatMul(dq, true, x, false, 1, C, C, N, queryWeight);

    [Benchmark]
    public void AttentionRope() => Backend.Rope(x, k, cos, sin, new RopeSizes(B, T, H, KvHeads, D, Turned: D), inverse: false, dq, dk);

    [Benchmark]
    public void AttentionForward() => Backend.AttentionForward(q, k, v, sizes, Dropout.None, y, logSumExp);

    [Benchmark]
    public void AttentionBackward() => Backend.AttentionBackward(x, q, k, v, y, logSumExp, sizes, Dropout.None, dq, dk, dv);
}
