using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cases;

// Kernels of other families on values in bfloat16. Sums are float32, so that devices differ by a rounding of the result at most.
internal sealed partial class Bfloat16Cases
{
    private const double OneRounding = 1.0 / 128;

    private IEnumerable<KernelCase> OfValues(KernelSizes s, bool adds) =>
        [.. Norms(s, adds), .. FeedForwards(s, adds), .. Elementwise(s, adds), .. Rows(s, adds), .. Products(s, adds),
            .. NewTokens(s, adds)];

    private IEnumerable<KernelCase> Norms(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Rounded("RmsNormForward", (b, d) => b.RmsNormForward(
            d.InNarrow(flat), d.InNarrow(flat), d.In(C), N, C, 1e-5f, d.OutNarrow(flat).Values, d.OutNarrow(flat).Values, d.Out(N)));
        yield return Rounded("RmsNormBackward", (b, d) => b.RmsNormBackward(
            d.InNarrow(flat), d.InNarrow(flat), d.InNarrow(flat), d.In(C), d.In(N, 0.5f, 2f), N, C, d.OutNarrow(flat, adds),
            d.OutNarrow(flat, adds), To(d, C)));
        yield return Rounded("LayerNormForward", (b, d) => b.LayerNormForward(
            d.InNarrow(flat), default, d.In(C), d.In(C), N, C, 1e-5f, default, d.OutNarrow(flat).Values, d.Out(N), d.Out(N)));
        yield return Rounded("LayerNormBackward", (b, d) => b.LayerNormBackward(
            d.InNarrow(flat), default, d.InNarrow(flat), d.In(C), d.In(N), d.In(N, 0.5f, 2f), N, C, d.OutNarrow(flat, adds), Target.None,
            To(d, C), To(d, C)));
    }

    private IEnumerable<KernelCase> FeedForwards(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;

        yield return Rounded("SwiGluForward",
            (b, d) => b.SwiGluForward(d.InNarrow(flat, -3, 3), d.InNarrow(flat), flat, d.OutNarrow(flat).Values));
        yield return Rounded("SwiGluBackward", (b, d) => b.SwiGluBackward(
            d.InNarrow(flat), d.InNarrow(flat, -3, 3), d.InNarrow(flat), flat, d.OutNarrow(flat, adds), d.OutNarrow(flat, adds)));
        yield return Rounded("ClampedSwiGluForward", (b, d) => b.ClampedSwiGluForward(
            d.InNarrow(flat, -3, 3), d.InNarrow(flat, -3, 3), 2f, 1.702f, flat, d.OutNarrow(flat).Values));
        yield return Rounded("ClampedSwiGluBackward", (b, d) => b.ClampedSwiGluBackward(
            d.InNarrow(flat), d.InNarrow(flat, -3, 3), d.InNarrow(flat, -3, 3), 2f, 1.702f, flat, d.OutNarrow(flat, adds),
            d.OutNarrow(flat, adds)));
        yield return Rounded("Dropout", (b, d) => b.Dropout(
            d.InNarrow(flat), new Dropout(0.3f, Key(RandomPurpose.FeedForwardDropout)), flat, d.OutNarrow(flat, adds)));
    }

    private IEnumerable<KernelCase> Elementwise(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Rounded("UnaryForward", (b, d) => b.UnaryForward(Unary.Gelu, d.InNarrow(flat, -3, 3), flat, d.OutNarrow(flat).Values));
        yield return Rounded("UnaryBackward", (b, d) => b.UnaryBackward(
            Unary.Silu, d.InNarrow(flat, -3, 3), d.InNarrow(flat), d.InNarrow(flat), flat, d.OutNarrow(flat, adds)));
        yield return Rounded("BinaryForward", (b, d) => b.BinaryForward(
            Binary.Add, d.InNarrow(flat), d.InNarrow(flat), Broadcast.None, N, C, d.OutNarrow(flat).Values));
        yield return Rounded("BinaryForward by a column in float32", (b, d) => b.BinaryForward(
            Binary.Multiply, d.InNarrow(flat), d.In(N), Broadcast.Column, N, C, d.OutNarrow(flat).Values));
        yield return Rounded("BinaryBackward", (b, d) => b.BinaryBackward(
            Binary.Multiply, d.InNarrow(flat), d.InNarrow(flat), d.InNarrow(flat), Broadcast.None, N, C, d.OutNarrow(flat, adds),
            d.OutNarrow(flat, adds)));
        yield return Rounded("BinaryBackward by a column in float32", (b, d) => b.BinaryBackward(
            Binary.Multiply, d.InNarrow(flat), d.InNarrow(flat), d.In(N), Broadcast.Column, N, C, d.OutNarrow(flat, adds), To(d, N)));
        yield return Rounded("Affine", (b, d) => b.Affine(d.InNarrow(flat), 0.7f, 0.3f, flat, d.OutNarrow(flat, adds)));
        yield return Rounded("ClampForward", (b, d) => b.ClampForward(d.InNarrow(flat), -0.4f, 0.6f, flat, d.OutNarrow(flat).Values));
        yield return Rounded("ClampBackward",
            (b, d) => b.ClampBackward(d.InNarrow(flat), d.InNarrow(flat), -0.4f, 0.6f, flat, d.OutNarrow(flat, adds)));
        yield return Rounded("SumRows", (b, d) => b.SumRows(d.InNarrow(flat), 0.5f, N, C, To(d, C)));
        yield return Rounded("Fill", (b, d) => b.Fill(d.OutNarrow(flat).Values, 1.5f));
    }

    private IEnumerable<KernelCase> Rows(KernelSizes s, bool adds)
    {
        var (N, C, V, B, H, KvHeads, D, E, K, _) = s;
        int flat = N * C, rows = N * K, T = N / B, pairs = D / 2, q = N * H * 2 * pairs, k = N * KvHeads * 2 * pairs;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Rounded("Rope", (b, d) => b.Rope(
            d.InNarrow(q), d.InNarrow(k), d.In((T + 2) * pairs), d.In((T + 2) * pairs),
            new RopeSizes(B, T, H, KvHeads, 2 * pairs, 2 * pairs, Start: 2), inverse: false, d.OutNarrow(q, adds), d.OutNarrow(k, adds)));
        yield return Rounded("DispatchForward", (b, d) =>
        {
            var plan = DispatchCases.Plan(b, d, N, E, K);
            b.DispatchForward(d.InNarrow(flat), plan.Tokens, plan.TokenOffsets, plan.RowsByToken, rows, N, C, d.OutNarrow(rows * C).Values);
        });
        yield return Rounded("DispatchBackward", (b, d) =>
        {
            var plan = DispatchCases.Plan(b, d, N, E, K);
            b.DispatchBackward(d.InNarrow(rows * C), plan.TokenOffsets, plan.RowsByToken, rows, N, C, d.OutNarrow(flat, adds));
        });
        yield return Rounded("CombineForward", (b, d) =>
        {
            var plan = DispatchCases.Plan(b, d, N, E, K);
            b.CombineForward(
                d.InNarrow(rows * C), d.In(rows), plan.TokenOffsets, plan.RowsByToken, rows, N, C, d.OutNarrow(flat).Values);
        });
        yield return Rounded("CombineBackward", (b, d) => b.CombineBackward(
            d.InNarrow(flat), d.InNarrow(rows * C), d.In(rows), DispatchCases.Plan(b, d, N, E, K).Tokens, rows, N, C,
            d.OutNarrow(rows * C, adds), To(d, rows)));
        yield return Rounded("EmbeddingForward", (b, d) => b.EmbeddingForward(
            d.In(Bfloat16sOf(V * C)), d.InInts(N, V), N, V, C, d.OutNarrow(flat).Values));
        yield return Rounded("EmbeddingBackward",
            (b, d) => b.EmbeddingBackward(d.InNarrow(flat), d.InInts(N, V), N, V, C, To(d, V * C)));
        yield return Rounded("CopyColumns",
            (b, d) => b.CopyColumns(d.InNarrow(N * (C + 3)), C + 3, 2, N, C, C, 0, d.OutNarrow(flat, adds)));
        yield return Rounded("RepeatRows", (b, d) =>
        {
            Values x = d.InNarrow(flat);
            Target y = d.OutNarrow(N * 3 * (C + 5), adds);
            if (!adds) // the other columns stay as they are
                b.Fill(y.Values, 0.5f);
            b.RepeatRows(x, N, C, 3, C + 5, 2, y);
        });
        yield return Rounded("SumRepeatedRows",
            (b, d) => b.SumRepeatedRows(d.InNarrow(N * 3 * (C + 5)), C + 5, 2, N, C, 3, d.OutNarrow(flat, adds)));
    }

    private IEnumerable<KernelCase> NewTokens(KernelSizes s, bool adds) => adds
        ? [] // nothing is added to
        :
        [
            .. DecodeCases.NewTokens(s).Select(one => Rounded($"AttendNewToken{one.Variant}", (b, d) => one.Run(b, d, isNarrow: true))),
            .. DecodeCases.ManyNewTokens(s).Select(
                some => Rounded($"AttendNewTokens{some.Variant}", (b, d) => some.Run(b, d, isNarrow: true))),
        ];

    private IEnumerable<KernelCase> Products(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, E, K, F) = s;
        int flat = N * C, rows = N * K;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Rounded("MatMul NT", (b, d) => b.MatMul(
            d.InNarrow(flat), false, d.In(Bfloat16sOf(C * F)), true, 1, N, F, C, d.OutNarrow(N * F, adds)));
        yield return Rounded("MatMul TN to float32", (b, d) => b.MatMul(
            d.InNarrow(N * F), true, d.InNarrow(flat), false, 1, F, C, N, To(d, F * C)));
        yield return Rounded("MatMul NN of float32", (b, d) => b.MatMul(
            d.In(N * F), false, d.In(F * C), false, 1, N, C, F, d.OutNarrow(flat, adds)));
        yield return Rounded("MatMul with bias and GELU", (b, d) => b.MatMul(
            d.InNarrow(flat), false, d.In(Bfloat16sOf(F * C)), true, 1, N, F, C, d.OutNarrow(N * F),
            new Epilogue { Bias = d.In(F), Activation = Unary.Gelu, Activated = d.OutNarrow(N * F).Values }), roundings: 3);
        yield return Rounded("GroupedMatMul with a gate", (b, d) => b.GroupedMatMul(
            d.InNarrow(flat), d.In(Bfloat16sOf(E * F * C)), GroupedCases.Offsets(d, N, E), E, N, C, F, d.OutNarrow(N * F),
            new Epilogue { Bias = d.In(E * F), Gate = d.InNarrow(N * F), Activated = d.OutNarrow(N * F).Values }), roundings: 3);
        yield return Rounded("GroupedMatMul", (b, d) => b.GroupedMatMul(
            d.InNarrow(flat), d.In(Bfloat16sOf(E * F * C)), GroupedCases.Offsets(d, N, E), E, N, C, F, d.OutNarrow(N * F, adds)));
        yield return Rounded("GroupedMatMulBackwardInput", (b, d) => b.GroupedMatMulBackwardInput(
            d.InNarrow(N * F), d.In(Bfloat16sOf(E * F * C)), GroupedCases.Offsets(d, N, E), E, N, C, F, d.OutNarrow(flat, adds)));
        yield return Rounded("GroupedMatMulBackwardWeight", (b, d) => b.GroupedMatMulBackwardWeight(
            d.InNarrow(N * F), d.InNarrow(flat), GroupedCases.Offsets(d, N, E), E, N, C, F, To(d, E * F * C)));
        yield return Rounded("GatheredMatMul", (b, d) => b.GatheredMatMul(
            d.InNarrow(flat), GroupedCases.Tokens(d, rows, N), d.In(Bfloat16sOf(E * F * C)), GroupedCases.Offsets(d, rows, E), E, rows, N,
            C, F, d.OutNarrow(rows * F, adds)));
        yield return Rounded("GatheredMatMulBackwardWeight", (b, d) => b.GatheredMatMulBackwardWeight(
            d.InNarrow(rows * F), d.InNarrow(flat), GroupedCases.Tokens(d, rows, N), GroupedCases.Offsets(d, rows, E), E, rows, N, C, F,
            To(d, E * F * C)));
        yield return Rounded("GroupedSum",
            (b, d) => b.GroupedSum(d.InNarrow(flat), GroupedCases.Offsets(d, N, E), E, N, C, To(d, E * C)));
    }

    private KernelCase Rounded(string kernel, Action<Backend, KernelData> run, int roundings = 1) =>
        Case($"{kernel} of values in bfloat16", run, roundings * OneRounding);
}
