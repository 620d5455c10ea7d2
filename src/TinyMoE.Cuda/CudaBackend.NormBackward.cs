using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/norm_backward.cu. The blocks write partial rows of dw and db, one each, which a second launch adds up.
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    protected override void RmsNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw)
    {
        using NormPartials partials = new(this, N, C, dw, Target.None);
        Launch("rms_norm_backward", new Grid(partials.Blocks), dy, ds, s, w, r, N, C, dx, dbranch, partials.Dw);
        partials.Add();
    }

    /// <inheritdoc/>
    protected override void LayerNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db)
    {
        using NormPartials partials = new(this, N, C, dw, db);
        Launch("layer_norm_backward", new Grid(partials.Blocks), dy, ds, s, w, mean, r, N, C, dx, dbranch, partials.Dw, partials.Db);
        partials.Add();
    }

    /// <inheritdoc/>
    public override void RmsNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw)
    {
        if (!AreNarrow(dy, ds, s, dx.Values, dbranch.Values))
        {
            base.RmsNormBackward(dy, ds, s, w, r, N, C, dx, dbranch, dw);
            return;
        }

        using NormPartials partials = new(this, N, C, dw, Target.None);
        Launch("rms_norm_backward_bfloat16", new Grid(partials.Blocks), Narrow(dy), Narrow(ds), Narrow(s), w, r, N, C, Narrow(dx),
            Narrow(dbranch), partials.Dw);
        partials.Add();
    }

    /// <inheritdoc/>
    public override void LayerNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db)
    {
        if (!AreNarrow(dy, ds, s, dx.Values, dbranch.Values))
        {
            base.LayerNormBackward(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
            return;
        }

        using NormPartials partials = new(this, N, C, dw, db);
        Launch("layer_norm_backward_bfloat16", new Grid(partials.Blocks), Narrow(dy), Narrow(ds), Narrow(s), w, mean, r, N, C, Narrow(dx),
            Narrow(dbranch), partials.Dw, partials.Db);
        partials.Add();
    }

    /// <summary>The partial rows of dw and db that the blocks of a backward write; empty where nobody wants the sum.</summary>
    private readonly ref struct NormPartials
    {
        private readonly CudaBackend backend;
        private readonly DeviceBuffer? scratch;
        private readonly int C;
        private readonly Target dw;
        private readonly Target db;

        public NormPartials(CudaBackend backend, int N, int C, Target dw, Target db)
        {
            (this.backend, this.C, this.dw, this.db) = (backend, C, dw, db);
            Blocks = Ceiling.Divide(N, RowsPerBlock(N, C));
            int wanted = (dw.IsNone ? 0 : 1) + (db.IsNone ? 0 : 1);
            if (wanted == 0 || Blocks == 0)
                return;
            scratch = backend.Pool.Rent((long)wanted * Blocks * C * sizeof(float));
            Floats all = scratch.As<float>(wanted * Blocks * C);
            if (!dw.IsNone)
                Dw = all.Slice(0, Blocks * C);
            if (!db.IsNone)
                Db = all.Slice(all.Length - Blocks * C, Blocks * C);
        }

        public int Blocks { get; }

        /// <summary>(Blocks, C).</summary>
        public Floats Dw { get; }

        /// <summary>(Blocks, C).</summary>
        public Floats Db { get; }

        /// <summary>Adds them up into dw and db.</summary>
        public void Add()
        {
            if (!dw.IsNone)
                backend.AddPartials(Dw, Blocks, C, dw);
            if (!db.IsNone)
                backend.AddPartials(Db, Blocks, C, db);
        }

        public void Dispose()
        {
            if (scratch is { } buffer)
                backend.Pool.Return(buffer);
        }
    }
}
