using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>
/// Causal self-attention by heads with grouped queries (Ainslie et al. 2023), and where configured norms of queries and keys, their
/// clipping, rotary positions, a sliding window and sinks. Its kinds differ in what projects values and outputs.
/// </summary>
internal abstract class HeadAttention : IAttention
{
    private readonly ModelConfig model;
    private readonly AttentionConfig attention;
    private readonly int layer;
    private readonly int headSize;
    private readonly float queryFactor; // makes the 1/√D of the kernel the scale that is configured
    private readonly RotaryTable? rotary;
    private readonly Linear query;
    private readonly Linear key;
    private readonly Norm? queryNorm;
    private readonly Norm? keyNorm;
    private readonly Parameter? sinks;
    private JoinedLinear? joined; // what makes queries, keys and values in one product, where they lie so
    private bool isPlaced;        // whether it was looked where they lie

    protected HeadAttention(ParameterStore store, string name, ModelConfig model, AttentionConfig attention, int layer, RotaryTable? rotary)
    {
        (this.model, this.attention, this.layer, this.rotary) = (model, attention, layer, rotary);
        int C = model.Width, queryWidth = attention.QueryWidth(C), keyWidth = attention.KeyWidth(C);
        headSize = attention.HeadSizeOrDefault(C);
        queryFactor = attention.Scale == 0 ? 1f : (float)(attention.Scale * Math.Sqrt(headSize));
        Initializer init = new WeightInit(model).Matrix(C);
        query = new Linear(store, $"{name}.query", ModelPart.Attention, C, queryWidth, init, attention.Biases);
        key = new Linear(store, $"{name}.key", ModelPart.Attention, C, keyWidth, init, attention.Biases);
        if (attention.Sinks)
            sinks = store.Add($"{name}.sinks", attention.Heads, Initializer.Zeros, ModelPart.Attention);
        if (attention.QueryKeyNorm == QueryKeyNorm.None)
            return;
        bool whole = attention.QueryKeyNorm == QueryKeyNorm.Whole;
        queryNorm = new Norm(store, $"{name}.query_norm", model, whole ? queryWidth : headSize);
        keyNorm = new Norm(store, $"{name}.key_norm", model, whole ? keyWidth : headSize);
    }

    public virtual bool ReadsState => false;

    /// <summary>Whether the kernel for one new token takes heads of this size.</summary>
    protected bool HasHeadsOfAStep => headSize <= NewTokenSizes.MostColumns;

    public AttentionCache NewCache(Backend backend, bool whole, ElementType type) =>
        new KvCache(backend, model.Context, attention.KeyWidth(model.Width), whole, type);

    public Tensor Forward(Tensor x, Pass pass, AttentionCache? cache = null)
    {
        int B = x.Shape[0], T = x.Shape[1], C = x.Shape[2], H = attention.Heads, D = headSize, kvHeads = attention.KvHeadsOrAll;
        if (cache is null && Joined(x.Tape.Backend) is { } projection)
            return ForwardJoined(projection, x, pass);
        Tensor q = Heads(query, queryNorm, x, H);                // (B, T, H, D)
        Tensor k = Heads(key, keyNorm, x, kvHeads);              // (B, T, KvHeads, D)
        Tensor tokens = x.Reshape((B * T, C));
        Tensor v = Clipped(Values(tokens, pass)).Reshape((B, T, kvHeads, D));
        if (cache is KvCache { State: { } state } kept)
            return Outputs(OfNewToken(q, k, v, kept, state).Reshape((H, D)), tokens, pass).Reshape(x.Shape);
        if (cache is JoinedCache joined)
            return Outputs(OfNewTokens(q, k, v, joined).Reshape((B * H, D)), tokens, pass).Reshape(x.Shape);
        if (rotary is not null)
            (q, k) = q.Rope(k, rotary.Cos, rotary.Sin, start: cache?.Length ?? 0, attention.RopeSize, attention.RopeInterleaved);
        if (queryFactor != 1f)
            q = q.Scale(queryFactor);
        if (cache is not null)
            (k, v) = ((KvCache)cache).Append(k, v);              // (1, S, KvHeads, D)
        Tensor y = q.Attention(k, v, attention.Window[layer], DropoutOf(pass), sinks); // (B, T, H, D)
        return Outputs(y.Reshape((B * T * H, D)), tokens, pass).Reshape(x.Shape);
    }

    /// <summary>The same where one product makes queries, keys and values, and only positions come between it and attention.</summary>
    private Tensor ForwardJoined(JoinedLinear projection, Tensor x, Pass pass)
    {
        int B = x.Shape[0], T = x.Shape[1], C = x.Shape[2], H = attention.Heads, D = headSize, kvHeads = attention.KvHeadsOrAll;
        Tensor all = projection.Forward(x).Reshape((B, T, H + 2 * kvHeads, D)); // of a token: queries, keys, values
        RotaryAngles angles = rotary is null ? default
            : new(rotary.Cos, rotary.Sin, attention.RopeSizeOrAll(model.Width), Start: 0, attention.RopeInterleaved);
        Tensor y = all.AttentionOfJoined(H, kvHeads, angles, attention.Window[layer], DropoutOf(pass), sinks); // (B, T, H, D)
        return Outputs(y.Reshape((B * T * H, D)), x.Reshape((B * T, C)), pass).Reshape(x.Shape);
    }

    /// <summary>What makes queries, keys and values in one product; null where the backend does not want it, there is more to do with them
    /// than to turn them, or their weights do not lie side by side.</summary>
    private JoinedLinear? Joined(Backend backend)
    {
        if (!backend.JoinsProjections || ValueMap is null || queryNorm is not null || attention.Clip != 0f || queryFactor != 1f)
            return null;
        if (!isPlaced)
            (joined, isPlaced) = (JoinedLinear.Of(query, key, ValueMap), true);
        return joined;
    }

    private Dropout DropoutOf(Pass pass) => pass.Dropout(model.Dropout, RandomPurpose.AttentionDropout, layer);

    /// <summary>What makes the values of a token by one matrix; null where it is more than that.</summary>
    protected virtual Linear? ValueMap => null;

    /// <summary>The values of every head. x (B·T, C), result (B·T·KvHeads, D) in any shape.</summary>
    protected abstract Tensor Values(Tensor x, Pass pass);

    /// <summary>
    /// What all heads together say. y (B·T·H, D) is what they attended to, x (B·T, C) the layer's input; result (B·T, C).
    /// </summary>
    protected abstract Tensor Outputs(Tensor y, Tensor x, Pass pass);

    /// <summary>
    /// What the one new token attends to, whose place only the device knows. q, result (1, 1, H, D), k, v (1, 1, KvHeads, D).
    /// </summary>
    private Tensor OfNewToken(Tensor q, Tensor k, Tensor v, KvCache cache, DecodeState state)
    {
        (Values keys, Values values, int room) = cache.Rows();
        int turned = rotary is null ? 0 : attention.RopeSize == 0 ? headSize : attention.RopeSize;
        NewTokenSizes sizes = new(
            attention.Heads, attention.KvHeadsOrAll, headSize, turned, attention.RopeInterleaved, attention.Window[layer], room,
            queryFactor);
        return q.AttendNewToken(k, v, rotary?.Cos ?? default, rotary?.Sin ?? default, sinks, in sizes, state, keys, values);
    }

    /// <summary>
    /// What the one new token of each sequence attends to, in its own cache. q, result (B, 1, H, D), k, v (B, 1, KvHeads, D).
    /// </summary>
    private Tensor OfNewTokens(Tensor q, Tensor k, Tensor v, JoinedCache caches)
    {
        if (rotary is not null)
            (q, k) = caches.Turn(q, k, rotary, attention.RopeSize, attention.RopeInterleaved);
        return caches.Attend(queryFactor == 1f ? q : q.Scale(queryFactor), k, v, attention.Window[layer], sinks);
    }

    /// <summary>A projection cut into heads, normed before or after the cut. x (B, T, C), result (B, T, heads, D).</summary>
    private Tensor Heads(Linear projection, Norm? norm, Tensor x, int heads)
    {
        Tensor y = projection.Forward(x);                        // (B, T, heads·D)
        Shape shape = (x.Shape[0], x.Shape[1], heads, headSize);
        if (norm is null)
            return Clipped(y).Reshape(shape);
        return Clipped(norm.Forward(attention.QueryKeyNorm == QueryKeyNorm.Whole ? y : y.Reshape(shape))).Reshape(shape);
    }

    private Tensor Clipped(Tensor x) => attention.Clip == 0f ? x : x.Clamp(-attention.Clip, attention.Clip);
}
