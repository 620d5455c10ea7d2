using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends;

/// <summary>Every kernel of the contract, tried: what a device's self-test runs,
/// what tests compare with the CPU, and what the table of costs measures.</summary>
internal static class KernelCaseList
{
    /// <summary>The cases at these sizes; outputs are stored, or <paramref name="adds"/> where they can be added to.</summary>
    public static IEnumerable<KernelCase> Of(KernelSizes s, bool adds = false)
    {
        var (N, C, V, B, H, KvHeads, D, E, K, F) = s;
        int T = N / B, flat = N * C, rows = N * K;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return new("Transfer", "Fill", (b, d) => b.Fill(d.Out(flat), 1.5f));
        yield return new("Transfer", "CopyColumns", (b, d) => b.CopyColumns(d.In(N * (C + 3)), C + 3, 2, N, C, C, 0, To(d, flat)));
        foreach (Unary f in Enum.GetValues<Unary>())
        {
            float low = f is Unary.Log or Unary.Sqrt ? 0.1f : -3f;
            yield return new("Elementwise", $"UnaryForward {f}", (b, d) => b.UnaryForward(f, d.In(flat, low, 3f), flat, d.Out(flat)));
            yield return new("Elementwise", $"UnaryBackward {f}",
                (b, d) => b.UnaryBackward(f, d.In(flat, low, 3f), d.In(flat, 0.1f, 1f), d.In(flat), flat, To(d, flat)));
        }

        foreach (Binary f in Enum.GetValues<Binary>())
        {
            foreach (Broadcast broadcast in Enum.GetValues<Broadcast>())
            {
                int second = broadcast switch { Broadcast.None => flat, Broadcast.Row => C, _ => N };
                yield return new("Elementwise", $"BinaryForward {f} {broadcast}",
                    (b, d) => b.BinaryForward(f, d.In(flat), d.In(second, 0.5f, 2f), broadcast, N, C, d.Out(flat)));
                yield return new("Elementwise", $"BinaryBackward {f} {broadcast}",
                    (b, d) => b.BinaryBackward(f, d.In(flat), d.In(flat), d.In(second, 0.5f, 2f), broadcast, N, C, To(d, flat),
                        To(d, second)), 5e-5);
            }
        }

        yield return new("Elementwise", "Affine", (b, d) => b.Affine(d.In(flat), 0.7f, 0.3f, flat, To(d, flat)));
        yield return new("Bfloat16", "RoundToBfloat16", (b, d) => b.RoundToBfloat16(d.In(flat), flat, To(d, flat)));
        yield return new("Bfloat16", "PackBfloat16", (b, d) => b.PackBfloat16(d.In(flat), flat, d.OutBfloat16s(flat)));

        yield return new("Reduce", "SumRows", (b, d) => b.SumRows(d.In(flat), 0.5f, N, C, To(d, C)));
        yield return new("Reduce", "SumColumns", (b, d) => b.SumColumns(d.In(flat), 0.5f, N, C, To(d, N)));
        yield return new("Reduce", "BroadcastRows", (b, d) => b.BroadcastRows(d.In(C), 0.5f, N, C, To(d, flat)));
        yield return new("Reduce", "BroadcastColumns", (b, d) => b.BroadcastColumns(d.In(N), 0.5f, N, C, To(d, flat)));

        float[] weights = [.. Enumerable.Range(0, 18).Select(i => 0.25f * (i - 7))]; // more numbers than one launch takes
        yield return new("Numbers", "SumNumbers", (b, d) => b.SumNumbers([.. weights.Select(_ => d.In(1))], weights, To(d, 1)));
        yield return new("Numbers", "ScaleNumbers", (b, d) =>
            b.ScaleNumbers([.. weights.Select(_ => d.In(1))], weights, [.. weights.Select((_, i) => i == 2 ? Target.None : To(d, 1))]));

        foreach ((bool transposeA, bool transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            yield return new("MatMul", $"MatMul {(transposeA ? 'T' : 'N')}{(transposeB ? 'T' : 'N')}",
                (b, d) => b.MatMul(d.In(B * T * C), transposeA, d.In(B * C * F), transposeB, B, T, F, C, To(d, B * T * F)));
        }

        yield return new("MatMul", "MatMul with bias and GELU", (b, d) =>
            b.MatMul(d.In(flat), false, d.In(F * C), true, 1, N, F, C, d.Out(N * F),
                new Epilogue { Bias = d.In(F), Activation = Unary.Gelu, Activated = d.Out(N * F) }));
        yield return new("Grouped", "GroupedMatMul",
            (b, d) => b.GroupedMatMul(d.In(flat), d.In(E * F * C), Offsets(d, N, E), E, N, C, F, To(d, N * F)));
        yield return new("Grouped", "GroupedMatMul with a gate", (b, d) => b.GroupedMatMul(
            d.In(flat), d.In(E * F * C), Offsets(d, N, E), E, N, C, F, d.Out(N * F),
                new Epilogue { Bias = d.In(E * F), Gate = d.In(N * F), Activated = d.Out(N * F), Precision = ElementType.Float32 }));
        yield return new("Grouped", "GroupedMatMul of bfloat16 weights",
            (b, d) => b.GroupedMatMul(d.In(flat), d.In(Bfloat16sOf(E * F * C)), Offsets(d, N, E), E, N, C, F, To(d, N * F)));
        yield return new("Grouped", "GroupedMatMulBackwardInput",
            (b, d) => b.GroupedMatMulBackwardInput(d.In(N * F), d.In(E * F * C), Offsets(d, N, E), E, N, C, F, To(d, flat)));
        yield return new("Grouped", "GroupedMatMulBackwardWeight",
            (b, d) => b.GroupedMatMulBackwardWeight(d.In(N * F), d.In(flat), Offsets(d, N, E), E, N, C, F, To(d, E * F * C)), 5e-5);
        yield return new("Grouped", "GroupedSum", (b, d) => b.GroupedSum(d.In(flat), Offsets(d, N, E), E, N, C, To(d, E * C)));
        yield return new("Grouped", "GroupedBroadcast", (b, d) => b.GroupedBroadcast(d.In(E * C), Offsets(d, N, E), E, N, C, To(d, flat)));

        yield return new("Norm", "RmsNormForward",
            (b, d) => b.RmsNormForward(d.In(flat), default, d.In(C), N, C, 1e-5f, default, d.Out(flat), d.Out(N)));
        yield return new("Norm", "RmsNormForward of a sum",
            (b, d) => b.RmsNormForward(d.In(flat), d.In(flat), d.In(C), N, C, 1e-5f, d.Out(flat), d.Out(flat), d.Out(N)));
        yield return new("Norm", "RmsNormBackward", (b, d) =>
            b.RmsNormBackward(d.In(flat), default, d.In(flat), d.In(C), d.In(N, 0.5f, 2f), N, C, To(d, flat), Target.None, To(d, C)), 5e-5);
        yield return new("Norm", "RmsNormBackward of a sum", (b, d) =>
            b.RmsNormBackward(d.In(flat), d.In(flat), d.In(flat), d.In(C), d.In(N, 0.5f, 2f), N, C, To(d, flat), To(d, flat), To(d, C)),
                5e-5);
        yield return new("Norm", "LayerNormForward",
            (b, d) => b.LayerNormForward(d.In(flat), default, d.In(C), d.In(C), N, C, 1e-5f, default, d.Out(flat), d.Out(N), d.Out(N)));
        yield return new("Norm", "LayerNormForward of a sum", (b, d) =>
            b.LayerNormForward(d.In(flat), d.In(flat), d.In(C), default, N, C, 1e-5f, d.Out(flat), d.Out(flat), d.Out(N), d.Out(N)));
        yield return new("Norm", "LayerNormBackward", (b, d) =>
            b.LayerNormBackward(d.In(flat), default, d.In(flat), d.In(C), d.In(N), d.In(N, 0.5f, 2f), N, C, To(d, flat), Target.None,
                To(d, C), To(d, C)), 5e-5);
        yield return new("Norm", "LayerNormBackward of a sum", (b, d) =>
            b.LayerNormBackward(d.In(flat), d.In(flat), d.In(flat), d.In(C), d.In(N), d.In(N, 0.5f, 2f), N, C, To(d, flat), To(d, flat),
                To(d, C), To(d, C)), 5e-5);

        yield return new("Softmax", "SoftmaxForward", (b, d) => b.SoftmaxForward(d.In(flat, -4, 4), N, C, d.Out(flat)));
        yield return new("Softmax", "SoftmaxBackward", (b, d) => b.SoftmaxBackward(d.In(flat), d.In(flat, 0, 0.1f), N, C, To(d, flat)));
        yield return new("Softmax", "LogSumExpForward", (b, d) => b.LogSumExpForward(d.In(flat, -4, 4), N, C, d.Out(N)));
        yield return new("Softmax", "LogSumExpBackward",
            (b, d) => b.LogSumExpBackward(d.In(N), d.In(flat), d.In(N, 4, 6), N, C, To(d, flat)));
        yield return new("Softmax", "CrossEntropyForward",
            (b, d) => b.CrossEntropyForward(d.In(N * V, -4, 4), d.InInts(N, V, low: -1), N, V, d.Out(1), d.Out(N)));
        yield return new("Softmax", "CrossEntropyBackward", (b, d) =>
            b.CrossEntropyBackward(d.In(1), d.In(N * V, -4, 4), d.InInts(N, V, low: -1), d.In(N, 6, 8), N, V, To(d, N * V)));

        foreach (bool masked in new[] { false, true })
        {
            string of = masked ? " of masked rows" : "";
            float scale = 1f / Math.Max(1, N);
            Floats Mask(KernelData d) => masked ? d.In([.. Enumerable.Range(0, N).Select(n => n % 3 == 1 ? 0f : 1f)]) : default;
            yield return new("Softmax", $"ZLossForward{of}",
                (b, d) => b.ZLossForward(d.In(N * E, -4, 4), Mask(d), scale, N, E, d.Out(1), d.Out(N)));
            yield return new("Softmax", $"ZLossBackward{of}",
                (b, d) => b.ZLossBackward(d.In(1), d.In(N * E, -4, 4), Mask(d), d.In(N, 4, 6), scale, N, E, To(d, N * E)));
            foreach (int groups in new[] { 1, B })
            {
                string by = groups == 1 ? of : $" by sequences{of}";
                yield return new("BalanceLosses", $"BalanceLossForward{by}",
                    (b, d) => b.BalanceLossForward(d.In(B * T * E, 0, 1), d.In(groups * E), Mask(d), scale, groups, B * T, E, d.Out(1)));
                yield return new("BalanceLosses", $"BalanceLossBackward{by}",
                    (b, d) => b.BalanceLossBackward(d.In(1), d.In(groups * E), Mask(d), 0.5f, groups, B * T, E, To(d, B * T * E)));
            }

            int few = Math.Min(2, E - 1);                        // chosen experts, one left out at least
            if (few == 0)
                continue;
            yield return new("BalanceLosses", $"SmoothLoadForward{of}", (b, d) =>
                b.SmoothLoadForward(d.In(N * E), Best(b, d, N, E, few, out Ints best), d.In(N * E, 0.5f, 1), best, Mask(d), N, E, few,
                    d.Out(E)), 2e-5);
            yield return new("BalanceLosses", $"SmoothLoadBackward{of}", (b, d) => b.SmoothLoadBackward(
                d.In(E), d.In(N * E), Best(b, d, N, E, few, out Ints best), d.In(N * E, 0.5f, 1), best, Mask(d), N, E, few, To(d, N * E),
                    To(d, N * E), To(d, N * E)), 2e-5);
        }

        yield return new("Gates", "NoisyLogitsForward",
            (b, d) => b.NoisyLogitsForward(d.In(N * E), d.In(N * E, -3, 3), d.In(N * E), 0.01f, N * E, d.Out(N * E), d.Out(N * E)));
        yield return new("Gates", "NoisyLogitsBackward",
            (b, d) => b.NoisyLogitsBackward(d.In(N * E), d.In(N * E), d.In(N * E, -3, 3), d.In(N * E), N * E, To(d, N * E), To(d, N * E)));
        yield return new("Gates", "NoisyLogitsBackward of sigma alone",
            (b, d) => b.NoisyLogitsBackward(default, d.In(N * E), d.In(N * E, -3, 3), d.In(N * E), N * E, Target.None, To(d, N * E)));
        yield return new("Gates", "ShareForward", (b, d) => b.ShareForward(d.In(flat, 0, 1), 2.5f, 1e-3f, N, C, d.Out(flat)));
        yield return new("Gates", "ShareBackward",
            (b, d) => b.ShareBackward(d.In(flat), d.In(flat, 0.1f, 1), 2.5f, 1e-3f, N, C, To(d, flat)));
        yield return new("BalanceLosses", "SquaredVariationForward",
            (b, d) => b.SquaredVariationForward(d.In(E, 0, 1), 1e-10f, E, d.Out(1)));
        yield return new("BalanceLosses", "SquaredVariationBackward",
            (b, d) => b.SquaredVariationBackward(d.In(1), d.In(E, 0.5f, 1), 1e-10f, E, To(d, E)));
        yield return new("BalanceLosses", "SquaredVariationForward of many",
            (b, d) => b.SquaredVariationForward(d.In(8 * C, 0, 1), 1e-10f, 8 * C, d.Out(1)));
        yield return new("BalanceLosses", "SquaredVariationBackward of many",
            (b, d) => b.SquaredVariationBackward(d.In(1), d.In(8 * C, 0, 1), 1e-10f, 8 * C, To(d, 8 * C)));

        yield return new("FeedForward", "SwiGluForward", (b, d) => b.SwiGluForward(d.In(flat, -3, 3), d.In(flat), flat, d.Out(flat)));
        yield return new("FeedForward", "SwiGluBackward",
            (b, d) => b.SwiGluBackward(d.In(flat), d.In(flat, -3, 3), d.In(flat), flat, To(d, flat), To(d, flat)));
        foreach (bool keys in new[] { true, false })
        {
            int pairs = D / 2, q = N * H * 2 * pairs, k = keys ? N * KvHeads * 2 * pairs : 0;
            yield return new("Rope", keys ? "Rope" : "Rope of queries alone", (b, d) => b.Rope(
                d.In(q), keys ? d.In(k) : default, d.In((T + 2) * pairs), d.In((T + 2) * pairs), B, T, H, KvHeads, 2 * pairs, start: 2,
                    inverse: !keys, To(d, q), keys ? To(d, k) : Target.None));
        }

        foreach ((string variant, int window, float rate) in new[] { ("", 0, 0f), (" in a window", T / 3, 0f), (" with dropout", 0, 0.2f) })
        {
            AttentionSizes sizes = new(B, T, T, H, KvHeads, D, window);
            Dropout dropout = new(rate, Key(RandomPurpose.AttentionDropout));
            int q = N * H * D, k = N * KvHeads * D;
            yield return new("Attention", $"AttentionForward{variant}",
                (b, d) => b.AttentionForward(d.In(q), d.In(k), d.In(k), in sizes, in dropout, d.Out(q), d.Out(B * H * T)));
            yield return new("Attention", $"AttentionBackward{variant}", (b, d) =>
            {
                (Floats x, Floats keys, Floats values) = (d.In(q), d.In(k), d.In(k));
                (Floats y, Floats logSumExp) = (d.Rent<float>(q), d.Rent<float>(B * H * T));
                b.AttentionForward(x, keys, values, in sizes, in dropout, y, logSumExp);
                b.AttentionBackward(d.In(q), x, keys, values, y, logSumExp, in sizes, in dropout, To(d, q), To(d, k), To(d, k));
            }, 5e-5);
        }

        AttentionSizes one = new(B, 1, T, H, KvHeads, D);
        yield return new("Attention", "AttentionForward of one query",
            (b, d) => b.AttentionForward(d.In(B * H * D), d.In(N * KvHeads * D), d.In(N * KvHeads * D), in one, default, d.Out(B * H * D),
                d.Out(B * H)));
        yield return new("Embedding", "EmbeddingForward", (b, d) => b.EmbeddingForward(d.In(V * C), d.InInts(N, V), N, V, C, d.Out(flat)));
        yield return new("Embedding", "EmbeddingBackward",
            (b, d) => b.EmbeddingBackward(d.In(flat), d.InInts(N, V), N, V, C, To(d, V * C)));
        yield return new("Random", "FillUniform", (b, d) => b.FillUniform(Key(RandomPurpose.Other), flat, d.Out(flat)), Tolerance: 0);
        yield return new("Random", "FillNormal", (b, d) => b.FillNormal(Key(RandomPurpose.Other), flat, d.Out(flat)));
        yield return new("Random", "Jitter", (b, d) => b.Jitter(d.In(flat), 0.1f, Key(RandomPurpose.RouterJitter), flat, To(d, flat)));
        yield return new("Random", "Dropout",
            (b, d) => b.Dropout(d.In(flat), new Dropout(0.3f, Key(RandomPurpose.FeedForwardDropout)), flat, To(d, flat)));

        yield return new("Routing", "TopK", (b, d) => b.TopK(d.In(N * E), N, 1, E, K, d.OutInts(N * K)));
        yield return new("Routing", "TopK of two groups", (b, d) => b.TopK(d.In(N * 2 * E), N, 2, E, K, d.OutInts(N * 2 * K)));
        yield return new("Routing", "SelectColumns",
            (b, d) => b.SelectColumns(d.In(N * E), d.InInts(N * K, E, low: -1), N, E, K, To(d, N * K)));
        yield return new("Routing", "ScatterColumns",
            (b, d) => b.ScatterColumns(d.In(N * K), d.InInts(N * K, E, low: -1), N, E, K, To(d, N * E)));
        yield return new("Routing", "Assign", (b, d) => b.Assign(
            d.InInts(rows, E, low: -1), N, E, K, rows, d.OutInts(E + 1), d.OutInts(rows), d.OutInts(rows), d.Rent<int>(rows),
                d.OutInts(N + 1)));
        yield return new("Routing", "Assign with gates", (b, d) => b.Assign(
            d.InInts(rows, E, low: -1), N, E, K, rows, d.OutInts(E + 1), d.OutInts(rows), d.OutInts(rows), d.Rent<int>(rows),
                d.OutInts(N + 1), d.In(rows), d.Out(rows)), Tolerance: 0);
        foreach (bool overAll in new[] { false, true })
        {
            string over = overAll ? "all" : "the chosen";
            yield return new("Routing", $"RouteForward over {over}", (b, d) => b.RouteForward(
                d.In(N * E, -3, 3), overAll, N, E, K, d.OutInts(rows), d.OutInts(E + 1), d.OutInts(rows), d.OutInts(rows), d.OutInts(N + 1),
                    d.Out(rows)));
            yield return new("Routing", $"RouteBackward over {over}", (b, d) =>
            {
                Floats logits = d.In(N * E, -3, 3), weights = d.Out(rows);
                (Ints experts, Ints rowsByToken) = (d.Rent<int>(rows), d.Rent<int>(rows));
                b.RouteForward(logits, overAll, N, E, K, experts, d.Rent<int>(E + 1), d.Rent<int>(rows), rowsByToken, d.Rent<int>(N + 1),
                    weights);
                b.RouteBackward(d.In(rows), logits, weights, overAll, experts, rowsByToken, N, E, K, To(d, N * E));
            });
        }

        yield return new("Routing", "Scatter", (b, d) => b.Scatter(d.In(rows), d.In(Spread(rows)), rows, 2 * rows, To(d, 2 * rows)));

        yield return new("Choices", "CountChoices",
            (b, d) => b.CountChoices(d.InInts(B * T * K, E, low: -1), B, T, K, K, E, 0.5f, To(d, B * E)));
        yield return new("Choices", "KeepChoices", (b, d) => b.KeepChoices(d.InInts(rows, E), d.In(rows), rows, d.OutInts(rows)));
        yield return new("Choices", "LimitCapacity",
            (b, d) => b.LimitCapacity(d.InInts(rows, E, low: -1), d.In(rows), N, E, K, rows / (2 * E), d.OutInts(rows)));
        yield return new("Choices", "LimitCapacity in order",
            (b, d) => b.LimitCapacity(d.InInts(rows, E, low: -1), default, N, E, K, rows / (2 * E), d.OutInts(rows)));
        foreach (bool interleaved in new[] { false, true })
        {
            yield return new("Choices", interleaved ? "ChooseTokens by position" : "ChooseTokens by sequence",
                (b, d) => b.ChooseTokens(d.In(N * E, -0.2f, 1), N, E, interleaved ? T : B, interleaved, K, d.OutInts(N * E)));
        }

        yield return new("Choices", "LookUpChoices",
            (b, d) => b.LookUpChoices(d.In(WholeNumbers(V * K, E)), d.InInts(N, V), N, V, K, d.OutInts(rows)));
        yield return new("Choices", "ChooseInGroups",
            (b, d) => b.ChooseInGroups(d.InInts(N * 2, 4), d.InInts(N * 4 * K, E), N, 4, E, 2, K, d.OutInts(N * 2 * K)));
        yield return new("Balancing", "AssignBalanced", (b, d) => b.AssignBalanced(d.In(N * E, -2, 2), N, E, d.OutInts(N)));
        yield return new("Balancing", "Sinkhorn", (b, d) => b.Sinkhorn(d.In(N * E, -2, 2), N, E, d.Out(N * E)));
        yield return new("Balancing", "StepBias", (b, d) => b.StepBias(d.In(WholeNumbers(E, 20)), E, 0.001f, d.Added(E).View),
            Tolerance: 0);

        yield return new("Dispatch", "DispatchForward", (b, d) =>
        {
            var plan = Plan(b, d, N, E, K);
            b.DispatchForward(d.In(flat), plan.Tokens, plan.TokenOffsets, plan.RowsByToken, rows, N, C, d.Out(rows * C));
        }, Tolerance: 0);
        yield return new("Dispatch", "DispatchBackward", (b, d) =>
        {
            var plan = Plan(b, d, N, E, K);
            b.DispatchBackward(d.In(rows * C), plan.TokenOffsets, plan.RowsByToken, rows, N, C, To(d, flat));
        });
        yield return new("Dispatch", "CombineForward", (b, d) =>
        {
            var plan = Plan(b, d, N, E, K);
            b.CombineForward(d.In(rows * C), d.In(rows), plan.TokenOffsets, plan.RowsByToken, rows, N, C, d.Out(flat));
        });
        yield return new("Dispatch", "CombineBackward", (b, d) =>
            b.CombineBackward(d.In(flat), d.In(rows * C), d.In(rows), Plan(b, d, N, E, K).Tokens, rows, N, C, To(d, rows * C),
                To(d, rows)));

        yield return new("Optim", "Norm", (b, d) => b.Norm(d.In(flat), flat, d.Out(1)));
        foreach (bool copies in new[] { false, true })
        {
            yield return new("Optim", copies ? "AdamW with a bfloat16 copy" : "AdamW", (b, d) => b.AdamW(
                d.In(flat), d.In([2f]), new AdamWStep(3, 1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, Clip: 1f), flat,
                d.Added(flat).View, d.Added(flat).View, Positive(d, flat), copies ? d.Rent<ushort>(flat) : default));
        }
    }

    private static RandomKey Key(RandomPurpose purpose) => new(5, purpose, Step: 3, Layer: 2, Part: 1);

    /// <summary>Offsets of E experts over N rows, of uneven shares, one expert without rows, the last rows nobody's.</summary>
    private static Ints Offsets(KernelData d, int N, int E)
    {
        int[] offsets = new int[E + 1];
        for (int e = 1; e <= E; e++)
            offsets[e] = e == 2 ? offsets[1] : (int)((long)(N - 3) * e * e / (E * E));
        return d.In(offsets);
    }

    private static (Ints Tokens, Ints RowsByToken, Ints TokenOffsets) Plan(Backend b, KernelData d, int N, int E, int K)
    {
        (Ints tokens, Ints rowsByToken, Ints tokenOffsets) = (d.Rent<int>(N * K), d.Rent<int>(N * K), d.Rent<int>(N + 1));
        b.Assign(d.InInts(N * K, E, low: -1), N, E, K, N * K, d.Rent<int>(E + 1), tokens, d.Rent<int>(N * K), rowsByToken, tokenOffsets);
        return (tokens, rowsByToken, tokenOffsets);
    }

    /// <summary>Random logits (N, E) and the columns (N, K+1) of the largest of each row.</summary>
    private static Floats Best(Backend b, KernelData d, int N, int E, int K, out Ints best)
    {
        Floats logits = d.In(N * E);
        best = d.Rent<int>(N * (K + 1));
        b.TopK(logits, N, 1, E, K + 1, best);
        return logits;
    }

    private static Floats Positive(KernelData d, int n) => d.In(n, 0.001f, 1f);

    private static float[] WholeNumbers(int n, int below) => [.. Enumerable.Range(0, n).Select(i => (float)(i * 7 % below))];

    /// <summary>The upper halves of numbers from 1 to 2, of both signs.</summary>
    private static ushort[] Bfloat16sOf(int n) =>
        [.. Enumerable.Range(0, n).Select(i => (ushort)((i % 3 == 0 ? 0xBF80 : 0x3F80) + i * 31 % 128))];

    /// <summary>n places of 2n, all different, every fifth −1.</summary>
    private static int[] Spread(int n) => [.. Enumerable.Range(0, n).Select(i => i % 5 == 4 ? -1 : 2 * (n - 1 - i) + i % 2)];
}
