using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>
/// Multi-head latent attention (MLA; DeepSeek-AI 2024, DeepSeek-V2). All heads make their keys and values of one small vector c per token,
/// and what has a position is apart from what has content:
/// <code>
/// [c | k'] = key_value_down·x;  c = RmsNorm(c), k' = Rope(k')          c (L), k' (R): one for all heads
/// [k[h] | v[h]] = key_value_up[h]·c                                    k (N), v (V)
/// [q[h] | q'[h]] = query[h]·x, or query_up[h]·RmsNorm(query_down·x);  q' = Rope(q')
/// y[h] = Σ_s softmax_s(scale·(q[h]·k_s[h] + q'[h]·k'_s))·v_s[h],  scale 1/√(N + R)
/// </code>
/// A cache keeps c and k' alone, L + R numbers per token. N + R is <c>attention.head_size</c>, R <c>rope_size</c>, V <c>value_size</c>, L
/// <c>latent_rank</c>.
/// </summary>
/// <remarks>
/// A whole sequence (training, a prompt) expands keys and values of every head and uses the kernel of attention. A token after a cache
/// does not, nor do few: as q·(U·c) = (Uᵀ·q)·c, its queries go down into the space of c, meet the rows of the cache there, and what they
/// gather, a mixture of c, comes up through the matrix of the values. Each head reads S·(L + R) numbers, and no key is made again.
/// </remarks>
internal sealed class LatentAttention : IAttention
{
    private const float NormEpsilon = 1e-6f; // whatever the norms of the model have, as in DeepSeek's models

    private readonly ModelConfig model;
    private readonly int layer;
    private readonly int heads;      // H
    private readonly int plain;      // N: elements of a query and a key without a position
    private readonly int turned;     // R: those with one
    private readonly int valueSize;  // V
    private readonly int latent;     // L
    private readonly double scale;
    private readonly bool interleaved;
    private readonly RotaryTable rotary;
    private readonly Linear query;   // of the token, or of its small vector
    private readonly Linear? queryDown;
    private readonly Norm? queryNorm;
    private readonly Linear keyValueDown;
    private readonly Norm keyValueNorm;
    private readonly Parameter keyValueUp; // (H·(N + V), L)
    private readonly Linear output;
    private Tensor? keyValueUpByHead;      // (H, N + V, L), once it was asked for

    public LatentAttention(
        ParameterStore store, string name, ModelConfig model, AttentionConfig attention, int layer, RotaryTable rotary)
    {
        (this.model, this.layer, this.rotary) = (model, layer, rotary);
        int C = model.Width, headSize = attention.HeadSizeOrDefault(C), rank = attention.QueryRank;
        (heads, turned, plain) = (attention.Heads, attention.RopeSize, headSize - attention.RopeSize);
        (valueSize, latent) = (attention.ValueSizeOrDefault(C), attention.LatentRank);
        scale = attention.Scale == 0 ? 1 / Math.Sqrt(headSize) : attention.Scale;
        interleaved = attention.RopeInterleaved;
        WeightInit init = new(model);
        ModelConfig norms = model with { Norm = NormKind.Rms, NormEpsilon = NormEpsilon };
        if (rank > 0)
        {
            queryDown = Projection("query_down", C, rank, init.Matrix(C), attention.Biases);
            queryNorm = new Norm(store, $"{name}.query_down_norm", norms, rank);
            query = Projection("query_up", rank, heads * headSize, init.Matrix(rank), bias: false);
        }
        else
        {
            query = Projection("query", C, heads * headSize, init.Matrix(C), bias: false);
        }

        keyValueDown = Projection("key_value_down", C, latent + turned, init.Matrix(C), attention.Biases);
        keyValueNorm = new Norm(store, $"{name}.key_value_norm", norms, latent);
        keyValueUp = store.Add(
            $"{name}.key_value_up.weight", (heads * (plain + valueSize), latent), init.Matrix(latent), ModelPart.Attention);
        output = Projection("output", heads * valueSize, C, init.Residual(heads * valueSize), attention.HasOutputBias(model));

        Linear Projection(string projection, int inputs, int outputs, Initializer initializer, bool bias) =>
            new(store, $"{name}.{projection}", ModelPart.Attention, inputs, outputs, initializer, bias);
    }

    public AttentionCache NewCache(Backend backend, bool whole, ElementType type) =>
        new LatentCache(backend, model.Context, latent + turned, whole, type);

    public Tensor Forward(Tensor x, Pass pass, AttentionCache? cache = null)
    {
        int B = x.Shape[0], T = x.Shape[1];
        Tensor q = query.Forward(queryDown is null ? x : queryNorm!.Forward(queryDown.Forward(x)))
            .Reshape((B, T, heads, plain + turned));
        Tensor down = keyValueDown.Forward(x);                   // (B, T, L + R)
        Tensor c = keyValueNorm.Forward(down.SliceColumns(0, latent)).Reshape((B * T, latent));
        Tensor turnedKey = down.SliceColumns(latent, turned).Reshape((B, T, 1, turned));
        Tensor plainQuery = q.SliceColumns(0, plain), turnedQuery = q.SliceColumns(plain, turned); // (B, T, H, N), (B, T, H, R)
        (turnedQuery, turnedKey) = cache is JoinedCache joined
            ? joined.Turn(turnedQuery, turnedKey, rotary, turned, interleaved)
            : turnedQuery.Rope(turnedKey, rotary.Cos, rotary.Sin, start: cache?.Length ?? 0, interleaved: interleaved);

        Tensor rows = turnedKey.Reshape((B * T, turned));
        if (cache is JoinedCache caches)
            return output.Forward(OfNewTokens(plainQuery, turnedQuery, c, rows, caches)).Reshape(x.Shape);
        int S = T;
        if (cache is not null)
        {
            LatentCache kept = (LatentCache)cache;
            Tensor all = kept.Append(c, rows);                   // (S, L + R)
            if (T == 1 || IsFew(T, all.Shape[0]))
                return output.Forward(Absorbed(plainQuery, turnedQuery, kept, all)).Reshape(x.Shape);
            (S, c, rows) = (all.Shape[0], all.SliceColumns(0, latent), all.SliceColumns(latent, turned));
        }

        Dropout dropout = pass.Dropout(model.Dropout, RandomPurpose.AttentionDropout, layer);
        Tensor y = Expanded(plainQuery.ConcatColumns(turnedQuery), c, rows, S, dropout); // (B·T, H·V)
        return output.Forward(y).Reshape(x.Shape);
    }

    /// <summary>
    /// Attention with the keys and values of every head. q (B, T, H, N + R), c (B·S, L), turnedKeys (B·S, R), result (B·T, H·V).
    /// </summary>
    private Tensor Expanded(Tensor q, Tensor c, Tensor turnedKeys, int S, in Dropout dropout)
    {
        int B = q.Shape[0], T = q.Shape[1], size = plain + turned;
        Tensor up = c.Linear(keyValueUp).Reshape((B * S * heads, plain + valueSize));
        Tensor k = up.SliceColumns(0, plain).ConcatShared(turnedKeys).Reshape((B, S, heads, size));
        Tensor v = up.SliceColumns(plain, valueSize).Reshape((B, S, heads, valueSize));
        float factor = (float)(scale * Math.Sqrt(size));         // makes the 1/√D of the kernel the scale of this layer
        if (factor != 1f)
            q = q.Scale(factor);
        return q.Attention(k, v, window: 0, dropout).Reshape((B * T, heads * valueSize));
    }

    /// <summary>
    /// Whether T tokens after a cache, S with them, go faster one by one in the space of c than by expanding what the cache has: by
    /// multiplications per head, those of one token at a time being slower by about this.
    /// </summary>
    private bool IsFew(int T, int S)
    {
        const double Slower = 4;
        double expansion = (double)(plain + valueSize) * latent;
        return Slower * T * 2 * (expansion + (double)S * (latent + turned)) < S * (expansion + (double)T * (plain + turned + valueSize));
    }

    /// <summary>
    /// Tokens after a cache, one by one. plainQuery (1, T, H, N), turnedQuery (1, T, H, R), all (S, L + R), result (T, H·V).
    /// </summary>
    private Tensor Absorbed(Tensor plainQuery, Tensor turnedQuery, LatentCache cache, Tensor all)
    {
        int T = plainQuery.Shape[1], S = all.Shape[0], width = heads * valueSize;
        if (T == 1)
            return AbsorbedOne(plainQuery, turnedQuery, cache, all);
        Tape tape = all.Tape;
        Tensor y = tape.New((T, width), all.Type);
        for (int t = 0; t < T; t++)
        {
            Tensor one = AbsorbedOne(Row(plainQuery, t), Row(turnedQuery, t), cache, First(S - T + t + 1));
            tape.Backend.Affine(one.Values, 1f, 0f, width, y.Values.Slice(t * width, width));
        }

        return y;

        Tensor Row(Tensor x, int t) => tape.Borrow((1, 1, heads, x.Shape.Last), x.Values.Slice(t * (x.Count / T), x.Count / T));

        Tensor First(int rows) => tape.Borrow((rows, all.Shape.Last), all.Values.Slice(0, rows * all.Shape.Last));
    }

    /// <summary>
    /// The one new token of each sequence, one after the other in its own cache. plainQuery (B, 1, H, N), turnedQuery (B, 1, H, R), c (B,
    /// L), turnedKeys (B, R), result (B, H·V).
    /// </summary>
    private Tensor OfNewTokens(Tensor plainQuery, Tensor turnedQuery, Tensor c, Tensor turnedKeys, JoinedCache caches)
    {
        int B = c.Shape[0], width = heads * valueSize;
        Tape tape = c.Tape;
        Backend backend = tape.Backend;
        Tensor y = tape.New((B, width), c.Type);
        int together = backend.Sequences;
        backend.Sequences = 1;                                   // the products from here on are of one sequence each
        for (int n = 0; n < B; n++)
        {
            LatentCache cache = (LatentCache)caches.Each[n];
            Tensor all = cache.Append(Row(c, (1, latent), n), Row(turnedKeys, (1, turned), n));
            Tensor one = AbsorbedOne(Row(plainQuery, (1, 1, heads, plain), n), Row(turnedQuery, (1, 1, heads, turned), n), cache, all);
            backend.Affine(one.Values, 1f, 0f, width, y.Values.Slice(n * width, width));
        }

        backend.Sequences = together;
        return y;

        Tensor Row(Tensor x, Shape shape, int n) => tape.Borrow(shape, x.Values.Slice(n * shape.Count, shape.Count));
    }

    /// <summary>
    /// One token after a cache, in the space of c. plainQuery (1, 1, H, N), turnedQuery (1, 1, H, R), all (S, L + R), result (1, H·V).
    /// A head's rows of the matrix lie [keys | values]: both products take them whole, and what is not meant is zero or left out.
    /// </summary>
    private Tensor AbsorbedOne(Tensor plainQuery, Tensor turnedQuery, LatentCache cache, Tensor all)
    {
        int each = plain + valueSize;
        Tensor up = keyValueUpByHead ??= keyValueUp.Reshape((heads, each, latent)); // kept: it rides on no tape
        Tensor q = plainQuery.PadColumns(each).Reshape((heads, 1, each)).MatMul(up).Reshape((heads, latent))
            .ConcatColumns(turnedQuery.Reshape((heads, turned)));  // (H, L + R)
        Tensor mixture = cache.Attend(q.Scale((float)scale), all).SliceColumns(0, latent).Reshape((heads, 1, latent));
        Tensor y = mixture.MatMul(up, transposeB: true).Reshape((heads, each)); // (H, N + V)
        return y.SliceColumns(plain, valueSize).Reshape((1, heads * valueSize));
    }
}
