using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Attention.</summary>
internal sealed class AttentionCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 140;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, _, _, B, H, KvHeads, D, _, _, _) = s;
        int T = N / B;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        foreach ((string variant, int window, float rate) in new[] { ("", 0, 0f), (" in a window", T / 3, 0f), (" with dropout", 0, 0.2f) })
        {
            AttentionSizes sizes = new(B, T, T, H, KvHeads, D, window);
            Dropout dropout = new(rate, Key(RandomPurpose.AttentionDropout));
            int q = N * H * D, k = N * KvHeads * D;
            yield return Case($"AttentionForward{variant}",
                (b, d) => b.AttentionForward(d.In(q), d.In(k), d.In(k), in sizes, in dropout, d.Out(q), d.Out(B * H * T)));
            yield return Case($"AttentionBackward{variant}", (b, d) =>
            {
                (Floats x, Floats keys, Floats values) = (d.In(q), d.In(k), d.In(k));
                (Floats y, Floats logSumExp) = (d.Rent<float>(q), d.Rent<float>(B * H * T));
                b.AttentionForward(x, keys, values, in sizes, in dropout, y, logSumExp);
                b.AttentionBackward(d.In(q), x, keys, values, y, logSumExp, in sizes, in dropout, To(d, q), To(d, k), To(d, k));
            }, 5e-5);
        }

        foreach (KernelCase c in OfColumns(s, adds))
            yield return c;

        AttentionSizes all = new(B, T, T, H, KvHeads, D);
        int rows = B * H * T;
        yield return Case("AttentionSinksForward", (b, d) =>
        {
            (Floats y, Floats logSumExp) = (d.Out(rows * D), d.Out(rows));
            b.Affine(d.In(rows * D), 1f, 0f, rows * D, y);
            b.Affine(d.In(rows), 1f, 0f, rows, logSumExp);
            b.AttentionSinksForward(d.In(H), in all, y, logSumExp);
        });
        yield return Case("AttentionSinksBackward", (b, d) => b.AttentionSinksBackward(
            d.In(rows * D), d.In(rows * D), d.In(H), d.In(rows, 1f, 3f), in all, To(d, H)), 5e-5);

        AttentionSizes own = new(B, T, T, H, KvHeads, D) { ValueSize = D / 2 + 3 };
        (int ownKeys, int ownValues, int outputs) = (N * KvHeads * D, N * KvHeads * own.ValueSize, N * H * own.ValueSize);
        yield return Case("AttentionForward of values of their own size", (b, d) => b.AttentionForward(
            d.In(N * H * D), d.In(ownKeys), d.In(ownValues), in own, default, d.Out(outputs), d.Out(rows)));
        yield return Case("AttentionBackward of values of their own size", (b, d) =>
        {
            (Floats x, Floats keys, Floats values) = (d.In(N * H * D), d.In(ownKeys), d.In(ownValues));
            (Floats y, Floats logSumExp) = (d.Rent<float>(outputs), d.Rent<float>(rows));
            b.AttentionForward(x, keys, values, in own, default, y, logSumExp);
            b.AttentionBackward(d.In(outputs), x, keys, values, y, logSumExp, in own, default, To(d, N * H * D), To(d, ownKeys),
                To(d, ownValues));
        }, 5e-5);

        AttentionSizes one = new(B, 1, T, H, KvHeads, D);
        yield return Case("AttentionForward of one query",
            (b, d) => b.AttentionForward(d.In(B * H * D), d.In(N * KvHeads * D), d.In(N * KvHeads * D), in one, default, d.Out(B * H * D),
                d.Out(B * H)));
    }

    /// <summary>Queries, keys and values that are columns of one matrix, with some columns of others behind them.</summary>
    private IEnumerable<KernelCase> OfColumns(KernelSizes s, bool adds)
    {
        (int B, int H, int KvHeads, int D) = (s.B, s.H, s.KvHeads, s.D);
        int T = s.N / B, stride = (H + 2 * KvHeads) * D + 3, rows = B * H * T, queries = H * D, keys = KvHeads * D;
        AttentionSizes sizes = new(B, T, T, H, KvHeads, D) { Stride = stride };
        Floats From(Floats all, int column, int width) => all.Slice(column, all.Length - stride + width);

        yield return Case("AttentionForward of columns of a matrix", (b, d) =>
        {
            Floats x = d.In(B * T * stride);
            b.AttentionForward(
                From(x, 0, queries), From(x, queries, keys), From(x, queries + keys, keys), in sizes, default, d.Out(rows * D),
                d.Out(rows));
        });
        yield return Case("AttentionBackward of columns of a matrix", (b, d) =>
        {
            (Floats x, Floats y, Floats logSumExp) = (d.In(B * T * stride), d.Rent<float>(rows * D), d.Rent<float>(rows));
            (Floats q, Floats k, Floats v) = (From(x, 0, queries), From(x, queries, keys), From(x, queries + keys, keys));
            b.AttentionForward(q, k, v, in sizes, default, y, logSumExp);
            Floats dx = d.Added(B * T * stride).View; // columns behind the values stay
            Target Of(int column, int width) => new(From(dx, column, width), adds);
            b.AttentionBackward(
                d.In(rows * D), q, k, v, y, logSumExp, in sizes, default, Of(0, queries), Of(queries, keys), Of(queries + keys, keys));
        }, 5e-5);

        foreach (bool interleaved in new[] { false, true })
        {
            int turned = D / 4 * 2;
            yield return Case($"AttentionBackward of {(interleaved ? "neighbours" : "pairs")} that were turned", (b, d) =>
            {
                (Floats x, Floats y, Floats logSumExp) = (d.In(B * T * stride), d.Rent<float>(rows * D), d.Rent<float>(rows));
                (Floats q, Floats k, Floats v) = (From(x, 0, queries), From(x, queries, keys), From(x, queries + keys, keys));
                RotaryAngles angles = new(d.In((T + 2) * turned / 2), d.In((T + 2) * turned / 2), turned, Start: 2, interleaved);
                b.AttentionForward(q, k, v, in sizes, default, y, logSumExp);
                Floats dx = d.Added(B * T * stride).View;
                b.AttentionBackward(
                    d.In(rows * D), q, k, v, y, logSumExp, in sizes, default, From(dx, 0, queries), From(dx, queries, keys),
                    From(dx, queries + keys, keys), in angles);
            }, 5e-5);
        }
    }
}
