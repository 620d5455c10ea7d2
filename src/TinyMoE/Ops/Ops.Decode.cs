using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

/// <remarks>A step of generation that finds on the device what it needs to know of those before it. It has no gradient.</remarks>
public static partial class Ops
{
    /// <summary>
    /// What the new token of a state attends to, once it is in the cache: <see cref="Backend.AttendNewToken"/>. q, result (1, 1, H, D), k,
    /// v (1, 1, KvHeads, D), keys, values (Room, KvHeads, D), sinks (H). Uses q and k up.
    /// </summary>
    public static Tensor AttendNewToken(
        this Tensor q, Tensor k, Tensor v, Floats cos, Floats sin, Tensor? sinks, in NewTokenSizes sizes, DecodeState state, Values keys,
        Values values)
    {
        (int H, int KvHeads, int D, _, _, _, int room, _) = sizes;
        Check.That(nameof(AttendNewToken), !q.Tape.Recording, "it has no backward, and the tape records");
        Check.Shape(nameof(AttendNewToken), q, (1, 1, H, D));
        Check.Shape(nameof(AttendNewToken), k, (1, 1, KvHeads, D));
        Check.Shape(nameof(AttendNewToken), v, (1, 1, KvHeads, D));
        Check.That(
            nameof(AttendNewToken), D <= NewTokenSizes.MostColumns, $"a head has at most {NewTokenSizes.MostColumns} columns, not {D}");
        Check.That(
            nameof(AttendNewToken), keys.Length == room * KvHeads * D && values.Length == keys.Length,
            $"a cache of {room} rows of {KvHeads * D} is not {keys.Length} and {values.Length} values");
        Tensor y = q.Tape.New(q.Shape, q.Type);
        q.Tape.Backend.AttendNewToken(
            q.Values, k.Values, v.Values, cos, sin, sinks?.Data ?? default, in sizes, state, keys, values, y.Values);
        return q.Tape.Record(nameof(AttendNewToken), y, static () => throw new InvalidOperationException("There is no way back."));
    }

    /// <summary>
    /// What the new token of each of B sequences attends to, once it is in the sequence's cache: <see cref="Backend.AttendNewTokens"/>. q,
    /// result (B, 1, H, D), k, v (B, 1, KvHeads, D), caches (B), sinks (H).
    /// </summary>
    public static Tensor AttendNewTokens(
        this Tensor q, Tensor k, Tensor v, int window, Tensor? sinks, ReadOnlySpan<CachedRows> caches)
    {
        Check.That(nameof(AttendNewTokens), !q.Tape.Recording, "it has no backward, and the tape records");
        Check.That(nameof(AttendNewTokens), q.Shape.Rank == 4 && k.Shape.Rank == 4, $"q and k are of rank 4, not {q.Shape} and {k.Shape}");
        int B = q.Shape[0], H = q.Shape[2], D = q.Shape[3], KvHeads = k.Shape[2], S = 1;
        Check.Shape(nameof(AttendNewTokens), q, (B, 1, H, D));
        Check.Shape(nameof(AttendNewTokens), k, (B, 1, KvHeads, D));
        Check.Shape(nameof(AttendNewTokens), v, (B, 1, KvHeads, D));
        Check.That(nameof(AttendNewTokens), caches.Length == B, $"{caches.Length} caches are not one for each of {B} sequences");
        Check.That(nameof(AttendNewTokens), KvHeads > 0 && H % KvHeads == 0, $"{H} query heads cannot share {KvHeads} key heads evenly");
        foreach (CachedRows cache in caches)
        {
            int least = (cache.Length + 1) * KvHeads * D;
            Check.That(nameof(AttendNewTokens), Math.Min(cache.Keys.Length, cache.Values.Length) >= least, "a cache has no room for a row");
            S = Math.Max(S, cache.Length + 1);
        }

        Tensor y = q.Tape.New(q.Shape, q.Type);
        q.Tape.Backend.AttendNewTokens(
            q.Values, k.Values, v.Values, sinks?.Data ?? default, new AttentionSizes(B, 1, S, H, KvHeads, D, window), caches, y.Values);
        return q.Tape.Record(nameof(AttendNewTokens), y, static () => throw new InvalidOperationException("There is no way back."));
    }

    /// <summary>Chooses the next token of a state: <see cref="Backend.ChooseToken"/>. logits (1, V), ids (W), seen (V).</summary>
    public static void ChooseToken(this Tensor logits, Ints ids, Ints seen, in SamplingRules rules, DecodeState state)
    {
        int V = logits.Count;
        Check.That(nameof(ChooseToken), ids.IsNone || (ids.Length >= 1 && ids.Length <= V), $"1 to {V} ids, not {ids.Length}");
        if (!seen.IsNone)
            Check.Length(nameof(ChooseToken), seen, V);
        Check.That(nameof(ChooseToken), state.Remembered >= 1, "the state remembers a token at least");
        logits.Tape.Backend.ChooseToken(logits.Data, ids, seen, in rules, state);
    }
}
