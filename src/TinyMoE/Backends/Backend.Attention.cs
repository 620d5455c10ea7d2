using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Attention.
public abstract partial class Backend
{
    /// <summary>Whether a model had better make queries, keys and values in one product, and have attention read them out of its rows:
    /// where a product that is wider, and fewer of them, are faster. Sums are of another order then.</summary>
    public virtual bool JoinsProjections => false;

    /// <summary>Causal softmax(q·kᵀ/√D)·v, key and value heads shared by H/KvHeads query heads; query t sees keys up to t + S − T, the last
    /// Window of them. q (B, T, H, D), k (B, S, KvHeads, D), v (B, S, KvHeads, ValueSize), y (B, T, H, ValueSize), logSumExp (B, H, T).
    /// Dropout number: ((b·H + h)·T + t)·S + s. With a stride (<see cref="AttentionSizes.Stride"/>) q, k and v are columns of rows that are
    /// longer than they.</summary>
    public abstract void AttentionForward(
        Values q, Values k, Values v, in AttentionSizes sizes, in Dropout dropout, Values y, Floats logSumExp);

    /// <summary>q, dq (B, T, H, D), k, dk (B, S, KvHeads, D), dy, y (B, T, H, ValueSize), v, dv (B, S, KvHeads, ValueSize), logSumExp
    /// (B, H, T). What has a stride has it as gradient too. Where q and k were turned by
    /// <paramref name="angles"/>, T = S, dq and dk, which are stored then, are those of what they were before.</summary>
    public abstract void AttentionBackward(
        Values dy, Values q, Values k, Values v, Values y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles = default);

    /// <summary>A logit per head joins a softmax that is done, and its share is dropped: y becomes y·(1 − share), logSumExp the logarithm
    /// of the sum with it. sinks (H), y (B, T, H, ValueSize), logSumExp (B, H, T), the latter two in place.</summary>
    public abstract void AttentionSinksForward(Floats sinks, in AttentionSizes sizes, Values y, Floats logSumExp);

    /// <summary>The gradient of those logits: dSinks[h] = −Σ over b and t of share·(dy·y). What AttentionBackward needs of them is in
    /// logSumExp and y. dy, y (B, T, H, ValueSize), sinks, dSinks (H), logSumExp (B, H, T).</summary>
    public abstract void AttentionSinksBackward(
        Values dy, Values y, Floats sinks, Floats logSumExp, in AttentionSizes sizes, Target dSinks);
}

/// <summary>Sizes of one attention.</summary>
/// <param name="B">Sequences.</param>
/// <param name="T">Queries per sequence: the last T of the S positions.</param>
/// <param name="S">Keys per sequence.</param>
/// <param name="H">Query heads.</param>
/// <param name="KvHeads">Key and value heads; divides H.</param>
/// <param name="D">Size of a head of queries and keys.</param>
/// <param name="Window">How many keys a query sees, itself included; 0: all before it.</param>
public readonly record struct AttentionSizes(int B, int T, int S, int H, int KvHeads, int D, int Window = 0)
{
    private readonly int valueSize; // 0: as D

    /// <summary>Size of a head of values, and of what comes out; D unless it is set.</summary>
    public int ValueSize
    {
        get => valueSize == 0 ? D : valueSize;
        init => valueSize = value;
    }

    /// <summary>Elements from a token to the next in q, k and v, and in their gradients, where these are columns of one matrix, whose other
    /// columns stay as they are; 0: each is dense. y and dy are always dense.</summary>
    public int Stride { get; init; }

    /// <summary>Elements of the queries of a token.</summary>
    internal int QueryWidth => H * D;

    /// <summary>Elements of the keys of a token.</summary>
    internal int KeyWidth => KvHeads * D;

    /// <summary>Elements of the values of a token.</summary>
    internal int ValueWidth => KvHeads * ValueSize;

    /// <summary>The queries in rows that have queries, keys and values, in this order: up to those of the last row.</summary>
    internal Values QueriesOf(Values rows) => rows.Slice(0, rows.Length - Stride + QueryWidth);

    /// <summary>The keys in such rows.</summary>
    internal Values KeysOf(Values rows) => rows.Slice(QueryWidth, rows.Length - Stride + KeyWidth);

    /// <summary>The values in such rows.</summary>
    internal Values ValuesOf(Values rows) => rows.Slice(QueryWidth + KeyWidth, rows.Length - Stride + ValueWidth);
}
