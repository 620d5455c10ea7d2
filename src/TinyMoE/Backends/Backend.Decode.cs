using TinyMoE.Memory;

namespace TinyMoE.Backends;

// One step of generation whose numbers that change from token to token lie in device memory, so that it can be recorded.
public abstract partial class Backend
{
    /// <summary>
    /// Attention of one new token, at the position p that <paramref name="state"/> holds: q and k turn by p's angles (as
    /// <see cref="Rope"/>; Turned 0: not), q is multiplied by the factor, k and v become row p of the cache, and y is causal attention over
    /// the rows up to p, with a sink per head where there are sinks. q, y (H, D), k, v (KvHeads, D), cos, sin (positions, Turned/2), sinks
    /// (H) or empty, keys, values (Room, KvHeads, D). q and k may be overwritten.
    /// </summary>
    public abstract void AttendNewToken(
        Values q, Values k, Values v, Floats cos, Floats sin, Floats sinks, in NewTokenSizes sizes, DecodeState state, Values keys,
        Values values, Values y);

    /// <summary>
    /// How many sequences have rows in each product, all equally many: 1 unless several are written together. Products of few rows may be
    /// summed in another order than those of many. What is few is counted by sequence, so that the rows of one are the same bits as if it
    /// were alone; where products are a library's (cuBLAS), as far as that keeps one order.
    /// </summary>
    public virtual int Sequences { get; set; } = 1;

    /// <summary>
    /// Attention of one new token of each of B sequences (T = 1, S the most keys that one has): its k and v become the row of its cache
    /// behind those that are there, and y is attention over all of them as <see cref="AttentionForward"/> has it for the sequence alone,
    /// with a sink per head where there are sinks. q (B, H, D), k (B, KvHeads, D), v (B, KvHeads, ValueSize), sinks (H) or empty, caches
    /// (B), y (B, H, ValueSize).
    /// </summary>
    public abstract void AttendNewTokens(
        Values q, Values k, Values v, Floats sinks, in AttentionSizes sizes, ReadOnlySpan<CachedRows> caches, Values y);

    /// <summary>
    /// The next token, chosen as <see cref="Sampler"/> does with the number that <paramref name="state"/> counts; it becomes the token
    /// of the state, is remembered there and marked in seen, and position and number go on by one. Where a logit is not finite the state
    /// notes it, and the token is the first that there is. logits (V), ids (W) rising: the tokens that may be chosen, or empty: all; seen
    /// (V): not 0 for tokens that a penalty for repetition is for, or empty: none.
    /// </summary>
    public abstract void ChooseToken(Floats logits, Ints ids, Ints seen, in SamplingRules rules, DecodeState state);
}

/// <summary>What a sequence's cache has of one layer, with room for a row more.</summary>
/// <param name="Keys">(more than Length, KvHeads, D).</param>
/// <param name="Values">(more than Length, KvHeads, ValueSize).</param>
/// <param name="Length">Rows that are there.</param>
public readonly record struct CachedRows(Values Keys, Values Values, int Length);

/// <summary>Sizes of the attention of one new token, with what is done to it on the way.</summary>
/// <param name="H">Query heads.</param>
/// <param name="KvHeads">Key and value heads; divides H.</param>
/// <param name="D">Size of a head, at most <see cref="MostColumns"/>.</param>
/// <param name="Turned">Elements of a head that are turned, from its first: an even number; 0: none.</param>
/// <param name="Interleaved">Pairs are neighbours.</param>
/// <param name="Window">How many keys the query sees, itself included; 0: all before it.</param>
/// <param name="Room">Rows of the cache; the position is below it.</param>
/// <param name="Factor">What the turned query is multiplied by.</param>
public readonly record struct NewTokenSizes(
    int H, int KvHeads, int D, int Turned, bool Interleaved, int Window, int Room, float Factor = 1f)
{
    /// <summary>The largest head.</summary>
    public const int MostColumns = 256;
}

/// <summary>
/// What a step of generation leaves to the next, on the device: the token, its position, the number of the next choice, the number of
/// the first choice that logits were not finite for (−1: none), and the tokens of the last choices, that of choice i at place i mod
/// Remembered.
/// </summary>
/// <param name="Numbers">All of it: <see cref="First"/> numbers, then the tokens that are remembered.</param>
public readonly record struct DecodeState(Ints Numbers)
{
    /// <summary>Numbers before the tokens that are remembered.</summary>
    public const int First = 4;

    /// <summary>Where the number of the first choice that failed is.</summary>
    internal const int Failed = 3;

    /// <summary>The token that was chosen last (1).</summary>
    public Ints Token => Numbers.Slice(0, 1);

    /// <summary>Its position: how many tokens came before it (1).</summary>
    public Ints Position => Numbers.Slice(1, 1);

    /// <summary>How many choices are remembered.</summary>
    public int Remembered => Numbers.Length - First;

    /// <summary>A state at a position from which choices go on with number <paramref name="index"/>: what to write to the device.</summary>
    public static int[] Begin(int position, int index, int remembered) => [0, position, index, -1, .. new int[remembered]];
}
