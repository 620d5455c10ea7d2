using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// Causal attention, y[t] = Σ_s softmax_s(q[t]·k[s]/√D)·v[s]. H/KvHeads query heads share a key and value head (Ainslie
    /// et al. 2023); the T queries are the last of the S positions; window &gt; 0 limits a query to that many keys, itself
    /// included (Beltagy et al. 2020); dropout falls on the weights. With sinks a logit per head joins the softmax, and its share is
    /// dropped (gpt-oss). q (B, T, H, D), k (B, S, KvHeads, D), v (B, S, KvHeads, value size), sinks (H); y (B, T, H, value size).
    /// </summary>
    public static Tensor Attention(this Tensor q, Tensor k, Tensor v, int window = 0, in Dropout dropout = default, Tensor? sinks = null)
    {
        Check.That(nameof(Attention), q.Shape.Rank == 4 && k.Shape.Rank == 4,
            $"q is (B, T, H, D) and k (B, S, KvHeads, D), not {q.Shape} and {k.Shape}");
        int B = q.Shape[0], T = q.Shape[1], H = q.Shape[2], D = q.Shape[3], S = k.Shape[1], keyHeads = k.Shape[2];
        Check.Shape(nameof(Attention), k, (B, S, keyHeads, D));
        int valueSize = v.Shape.Last;
        Check.Shape(nameof(Attention), v, (B, S, keyHeads, valueSize));
        Check.That(nameof(Attention), T <= S, $"{T} queries are more than {S} keys");
        Check.That(
            nameof(Attention),
            q.Values.Address != k.Values.Address && q.Values.Address != v.Values.Address && k.Values.Address != v.Values.Address,
            "q, k and v are three tensors: their gradients are summed at the same time");
        AttentionSizes sizes = new(B, T, S, H, keyHeads, D, window) { ValueSize = valueSize };
        return Attend(q.Tape, new HeadOperands(q, k, v), sizes, dropout, sinks);
    }

    /// <summary>
    /// The same where one product made queries, keys and values of a token: heads of queries, then keyHeads of keys, then keyHeads of
    /// values, all of a size. With angles queries and keys are turned first (<see cref="Rope(Tensor, Floats, Floats, int, int, bool)"/>),
    /// which uses x up. x (B, T, heads + 2·keyHeads, D), sinks (heads); y (B, T, heads, D).
    /// </summary>
    public static Tensor AttentionOfJoined(
        this Tensor x, int heads, int keyHeads, in RotaryAngles angles = default, int window = 0, in Dropout dropout = default,
        Tensor? sinks = null)
    {
        Check.That(nameof(AttentionOfJoined), x.Shape.Rank == 4 && heads > 0 && keyHeads > 0 && x.Shape[2] == heads + 2 * keyHeads,
            $"x is (B, T, {heads} + 2·{keyHeads}, D), not {x.Shape}");
        int B = x.Shape[0], T = x.Shape[1], D = x.Shape[3];
        AttentionSizes sizes = new(B, T, T, heads, keyHeads, D, window) { Stride = x.Shape[2] * D };
        Tensor turned = angles.IsNone ? x : TurnedForAttention(x, angles, sizes);
        return Attend(x.Tape, new HeadOperands(turned, null, null), sizes, dropout, sinks, angles);
    }

    private static Tensor Attend(
        Tape tape, HeadOperands operands, AttentionSizes sizes, Dropout dropout, Tensor? sinks, RotaryAngles angles = default)
    {
        (int B, int T, _, int H, int keyHeads, _, int window) = sizes;
        Check.That(nameof(Attention), keyHeads > 0 && H % keyHeads == 0, $"{H} query heads cannot share {keyHeads} key heads evenly");
        Check.That(nameof(Attention), window >= 0, $"a window has 0 (all) or more keys, not {window}");
        Check.That(nameof(Attention), dropout.Rate is >= 0f and < 1f, $"dropout is 0 to below 1, not {dropout.Rate}");
        if (sinks is not null)
            Check.Shape(nameof(Attention), sinks, H);

        (Values q, Values k, Values v) = operands.Inputs(sizes);
        Tensor y = tape.New((B, T, H, sizes.ValueSize), q.Type);
        Floats logSumExp = tape.Saved(B * H * T);                // (B, H, T)
        tape.Backend.AttentionForward(q, k, v, sizes, dropout, y.Values, logSumExp);
        if (sinks is not null)
            tape.Backend.AttentionSinksForward(sinks.Data, sizes, y.Values, logSumExp);

        // with P the weights, S the scores before the softmax:  dv = Pᵀ·dy,   dS = P·(dy·vᵀ − dy·y),   dq = dS·k/√D,   dk = dSᵀ·q/√D;
        // of a sink, whose weights are p and whose value is 0:  −Σ p·(dy·y)
        return tape.Record(nameof(Attention), y, operands, sizes, logSumExp, dropout, sinks, angles, static (
            y, operands, sizes, logSumExp, dropout, sinks, angles) =>
        {
            Backend backend = y.Tape.Backend;
            (Values q, Values k, Values v) = operands.Inputs(sizes);
            (Target dq, Target dk, Target dv) = operands.Gradients(sizes);
            backend.AttentionBackward(y.GradValues, q, k, v, y.Values, logSumExp, sizes, dropout, dq, dk, dv, angles);
            if (sinks is not null)
                backend.AttentionSinksBackward(y.GradValues, y.Values, sinks.Data, logSumExp, sizes, sinks.GradTarget());
        }, readsOutput: true);
    }

    /// <summary>Queries, keys and values: three tensors, or columns of one.</summary>
    private readonly record struct HeadOperands(Tensor Q, Tensor? K, Tensor? V)
    {
        public (Values Q, Values K, Values V) Inputs(in AttentionSizes sizes) => K is null || V is null
            ? (sizes.QueriesOf(Q.Values), sizes.KeysOf(Q.Values), sizes.ValuesOf(Q.Values))
            : (Q.Values, K.Values, V.Values);

        public (Target Q, Target K, Target V) Gradients(in AttentionSizes sizes)
        {
            Target all = Q.GradTarget();
            if (K is not null && V is not null)
                return (all, K.GradTarget(), V.GradTarget());
            if (all.IsNone)
                return default;
            return (
                all with { Values = sizes.QueriesOf(all.Values) }, all with { Values = sizes.KeysOf(all.Values) },
                all with { Values = sizes.ValuesOf(all.Values) });
        }
    }
}
