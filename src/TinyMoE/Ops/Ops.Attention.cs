using TinyMoE.Backends;
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
        Check.That(nameof(Attention), keyHeads > 0 && H % keyHeads == 0, $"{H} query heads cannot share {keyHeads} key heads evenly");
        Check.That(nameof(Attention), window >= 0, $"a window has 0 (all) or more keys, not {window}");
        Check.That(nameof(Attention), dropout.Rate is >= 0f and < 1f, $"dropout is 0 to below 1, not {dropout.Rate}");
        Check.That(
            nameof(Attention),
            q.Values.Address != k.Values.Address && q.Values.Address != v.Values.Address && k.Values.Address != v.Values.Address,
            "q, k and v are three tensors: their gradients are summed at the same time");

        if (sinks is not null)
            Check.Shape(nameof(Attention), sinks, H);

        Tape tape = q.Tape;
        AttentionSizes sizes = new(B, T, S, H, keyHeads, D, window) { ValueSize = valueSize };
        Dropout drop = dropout;
        Tensor y = tape.New((B, T, H, valueSize), q.Type);
        Floats logSumExp = tape.Saved(B * H * T);                // (B, H, T)
        tape.Backend.AttentionForward(q.Values, k.Values, v.Values, sizes, drop, y.Values, logSumExp);
        if (sinks is not null)
            tape.Backend.AttentionSinksForward(sinks.Data, sizes, y.Values, logSumExp);

        // with P the weights, S the scores before the softmax:  dv = Pᵀ·dy,   dS = P·(dy·vᵀ − dy·y),   dq = dS·k/√D,   dk = dSᵀ·q/√D;
        // of a sink, whose weights are p and whose value is 0:  −Σ p·(dy·y)
        return tape.Record(nameof(Attention), y, () =>
        {
            tape.Backend.AttentionBackward(
                y.GradValues, q.Values, k.Values, v.Values, y.Values, logSumExp, sizes, drop, q.GradTarget(), k.GradTarget(),
                v.GradTarget());
            if (sinks is not null)
                tape.Backend.AttentionSinksBackward(y.GradValues, y.Values, sinks.Data, logSumExp, sizes, sinks.GradTarget());
        }, readsOutput: true);
    }
}
