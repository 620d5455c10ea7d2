using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family MatMul.</summary>
internal sealed class MatMulCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 60;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, V, B, _, _, _, _, _, F) = s;
        int T = N / B, flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        foreach ((bool transposeA, bool transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            yield return Case($"MatMul {(transposeA ? 'T' : 'N')}{(transposeB ? 'T' : 'N')}",
                (b, d) => b.MatMul(d.In(B * T * C), transposeA, d.In(B * C * F), transposeB, B, T, F, C, To(d, B * T * F)));
        }

        foreach (bool transposeB in new[] { false, true })
        {
            yield return Case($"MatMul N{(transposeB ? 'T' : 'N')} of bfloat16 weights",
                (b, d) => b.MatMul(d.In(flat), false, d.In(Bfloat16sOf(C * F)), transposeB, 1, N, F, C, To(d, N * F)));
        }

        yield return Case("MatMul NT of float16 weights",
            (b, d) => b.MatMul(d.In(flat), false, Float16sOf(d, C * F), true, 1, N, F, C, To(d, N * F)));

        yield return Case("MatMul NT of one row and bfloat16 weights",
            (b, d) => b.MatMul(d.In(C), false, d.In(Bfloat16sOf(C * V)), true, 1, 1, V, C, To(d, V)));
        yield return Case("MatMul NT of one row and float16 weights, with a bias", (b, d) => b.MatMul(
            d.In(5 * C), false, Float16sOf(d, 5 * C * F), true, 1, 1, F, 5 * C, adds ? d.Added(F) : d.Out(F),
            adds ? default : new Epilogue { Bias = d.In(F) }));

        yield return Case("MatMul with bias and GELU", (b, d) =>
            b.MatMul(d.In(flat), false, d.In(F * C), true, 1, N, F, C, d.Out(N * F),
                new Epilogue { Bias = d.In(F), Activation = Unary.Gelu, Activated = d.Out(N * F) }));
    }
}
