using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>What latent attention keeps of a token: one row [latent | turned key], all rows (capacity, latent + turned).</summary>
internal sealed class LatentCache : AttentionCache
{
    private readonly Backend backend;
    private readonly int rowLength;
    private readonly DeviceBuffer rows;

    public LatentCache(Backend backend, int capacity, int rowLength)
        : base(capacity)
    {
        (this.backend, this.rowLength) = (backend, rowLength);
        rows = backend.Pool.Rent((long)capacity * rowLength * sizeof(float));
    }

    /// <summary>Adds the rows of T tokens, latents (T, latent) and turned keys (T, turned); returns those of all so far (S, row).</summary>
    public Tensor Append(Tensor latents, Tensor turned)
    {
        int T = latents.Shape[0], latent = latents.Shape[1], S = Length + T;
        Floats all = rows.As<float>(Capacity * rowLength), added = all.Slice(Length * rowLength, T * rowLength);
        backend.CopyColumns(latents.Data, latent, 0, T, latent, rowLength, 0, added);
        backend.CopyColumns(turned.Data, rowLength - latent, 0, T, rowLength - latent, rowLength, latent, added);
        return latents.Tape.Borrow((S, rowLength), all.Slice(0, S * rowLength));
    }

    public override void Dispose() => backend.Pool.Return(rows);
}
