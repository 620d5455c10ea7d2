using TinyMoE.Backends;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>
/// The caches that one layer has of several sequences, in a pass of one new token of each: token n of the pass goes on from cache n. They
/// are somebody else's.
/// </summary>
internal sealed class JoinedCache(int capacity, NewTokens tokens) : AttentionCache(capacity)
{
    private CachedRows[] rows = [];

    /// <summary>The cache of each sequence.</summary>
    public List<AttentionCache> Each { get; } = [];

    /// <summary>Tokens of the longest sequence.</summary>
    public override int Length
    {
        get
        {
            int longest = 0;
            foreach (AttentionCache cache in Each)
                longest = Math.Max(longest, cache.Length);
            return longest;
        }
    }

    public override void Advance(int tokens)
    {
        foreach (AttentionCache cache in Each)
            cache.Advance(tokens);
    }

    /// <summary>Turns the new tokens' queries and keys, each by the angles of its own position. q (B, 1, H, D), k (B, 1, KvHeads, D); sizes
    /// of the result are as they were.</summary>
    public (Tensor Q, Tensor K) Turn(Tensor q, Tensor k, RotaryTable rotary, int size, bool interleaved)
    {
        // What is one sequence of B positions has the angles of row b, wherever in the table they were gathered from.
        int B = q.Shape[0];
        (Floats cos, Floats sin) = tokens.Angles(rotary, q.Tape);
        (Tensor yq, Tensor yk) = q.Reshape((1, B, q.Shape[2], q.Shape[3]))
            .Rope(k.Reshape((1, B, k.Shape[2], k.Shape[3])), cos, sin, start: 0, size, interleaved);
        return (yq.Reshape((B, 1, q.Shape[2], q.Shape[3])), yk.Reshape((B, 1, k.Shape[2], k.Shape[3])));
    }

    /// <summary>What the new tokens attend to, each in its own cache of keys and values, to which it is added. q, result (B, 1, H, D), k, v
    /// (B, 1, KvHeads, D).</summary>
    public Tensor Attend(Tensor q, Tensor k, Tensor v, int window, Tensor? sinks)
    {
        if (rows.Length < Each.Count)
            rows = new CachedRows[Each.Count];
        for (int n = 0; n < Each.Count; n++)
        {
            KvCache cache = (KvCache)Each[n];
            (Values keys, Values values, _) = cache.Rows();
            rows[n] = new CachedRows(keys, values, cache.Length);
        }

        return q.AttendNewTokens(k, v, window, sinks, rows.AsSpan(0, Each.Count));
    }

    public override void Dispose() => Each.Clear();
}

/// <summary>What all layers need to know of the new tokens of a pass.</summary>
internal sealed class NewTokens
{
    private Tensor? cos;
    private Tensor? sin;

    /// <summary>The position of each (B).</summary>
    public Ints Positions { get; private set; }

    /// <summary>The next pass, whose tokens have these positions (B).</summary>
    public void Begin(Ints positions) => (Positions, cos, sin) = (positions, null, null);

    /// <summary>Rows of the table at the positions (B, size/2), gathered once per pass.</summary>
    public (Floats Cos, Floats Sin) Angles(RotaryTable rotary, Tape tape)
    {
        cos ??= Rows(rotary.Cos, rotary.Half, tape);
        sin ??= Rows(rotary.Sin, rotary.Half, tape);
        return (cos.Data, sin.Data);
    }

    private Tensor Rows(Floats table, int half, Tape tape)
    {
        int B = Positions.Length;
        Tensor rows = tape.Constant((B, half));
        tape.Backend.EmbeddingForward(table, Positions, B, table.Length / half, half, rows.Values);
        return rows;
    }
}
