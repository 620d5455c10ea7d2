using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>What latent attention keeps of a token: one row [latent | turned key], latent + turned numbers.</summary>
internal sealed class LatentCache : AttentionCache
{
    private readonly Backend backend;
    private readonly int rowLength;
    private readonly CacheRows rows;

    public LatentCache(Backend backend, int capacity, int rowLength, bool whole, ElementType type)
        : base(capacity)
    {
        (this.backend, this.rowLength) = (backend, rowLength);
        rows = new CacheRows(backend, capacity, rowLength, whole, type);
    }

    /// <summary>Adds the rows of T tokens, latents (T, latent) and turned keys (T, turned); returns those of all so far (S, row).</summary>
    public Tensor Append(Tensor latents, Tensor turned)
    {
        int T = latents.Shape[0], latent = latents.Shape[1], S = Length + T;
        Values all = rows.WithRoom(S, used: Length), added = all.Slice(Length * rowLength, T * rowLength);
        backend.CopyColumns(latents.Values, latent, 0, T, latent, rowLength, 0, added);
        backend.CopyColumns(turned.Values, rowLength - latent, 0, T, rowLength - latent, rowLength, latent, added);
        return latents.Tape.Borrow((S, rowLength), all.Slice(0, S * rowLength));
    }

    /// <summary>
    /// What queries gather of the rows: softmax(q·rowsᵀ)·rows, of the rows (S, row) that <see cref="Append"/> returned. All heads meet each
    /// row together, in two products. q (H, row) is scaled already; result (H, row), without a gradient.
    /// </summary>
    public Tensor Attend(Tensor q, Tensor all)
    {
        int H = q.Shape[0], S = all.Shape[0];

        // As long as they can become for a while: memory of one size comes back from the pool token by token.
        DeviceBuffer memory = backend.Pool.Rent(2L * H * Math.Min(Capacity, Ceiling.Divide(S, 256) * 256) * sizeof(float));
        Floats both = memory.As<float>(2 * H * S), scores = both.Slice(0, H * S), weights = both.Slice(H * S, H * S);
        Tensor y = q.Tape.New(q.Shape, q.Type);
        backend.MatMul(q.Values, false, all.Values, true, 1, H, S, rowLength, scores);
        backend.SoftmaxForward(scores, H, S, weights);
        backend.MatMul(weights, false, all.Values, false, 1, H, rowLength, S, y.Values);
        backend.Pool.Return(memory);
        return y;
    }

    public override bool Reserve(int tokens)
    {
        nint before = rows.WithRoom(Length, used: Length).Address;
        return rows.WithRoom(tokens, used: Length).Address == before;
    }

    public override void Dispose() => rows.Dispose();
}
