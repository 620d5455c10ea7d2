using TinyMoE.Memory;

namespace TinyMoE.Backends.Widening;

// Norms, gated feed-forward, lookups, dispatch and combine.
public abstract partial class WideningBackend
{
    /// <inheritdoc/>
    public override void RmsNormForward(Values x, Values branch, Floats w, int N, int C, float eps, Values s, Values y, Floats r)
    {
        using Scratch wide = new(this);
        RmsNormForward(wide.In(x), wide.In(branch), w, N, C, eps, wide.Out(s), wide.Out(y), r);
    }

    /// <inheritdoc cref="Backend.RmsNormForward"/>
    protected abstract void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r);

    /// <inheritdoc/>
    public override void RmsNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw)
    {
        using Scratch wide = new(this);
        RmsNormBackward(wide.In(dy), wide.In(ds), wide.In(s), w, r, N, C, wide.Out(dx), wide.Out(dbranch), wide.Out(dw));
    }

    /// <inheritdoc cref="Backend.RmsNormBackward"/>
    protected abstract void RmsNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw);

    /// <inheritdoc/>
    public override void LayerNormForward(
        Values x, Values branch, Floats w, Floats b, int N, int C, float eps, Values s, Values y, Floats mean, Floats r)
    {
        using Scratch wide = new(this);
        LayerNormForward(wide.In(x), wide.In(branch), w, b, N, C, eps, wide.Out(s), wide.Out(y), mean, r);
    }

    /// <inheritdoc cref="Backend.LayerNormForward"/>
    protected abstract void LayerNormForward(
        Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r);

    /// <inheritdoc/>
    public override void LayerNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db)
    {
        using Scratch wide = new(this);
        LayerNormBackward(
            wide.In(dy), wide.In(ds), wide.In(s), w, mean, r, N, C, wide.Out(dx), wide.Out(dbranch), wide.Out(dw), wide.Out(db));
    }

    /// <inheritdoc cref="Backend.LayerNormBackward"/>
    protected abstract void LayerNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db);

    /// <inheritdoc/>
    public override void SwiGluForward(Values gate, Values up, int n, Values y)
    {
        using Scratch wide = new(this);
        SwiGluForward(wide.In(gate), wide.In(up), n, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.SwiGluForward"/>
    protected abstract void SwiGluForward(Floats gate, Floats up, int n, Floats y);

    /// <inheritdoc/>
    public override void SwiGluBackward(
        Values dy, Values gate, Values up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32)
    {
        using Scratch wide = new(this);
        SwiGluBackward(wide.In(dy), wide.In(gate), wide.In(up), n, wide.Out(dgate), wide.Out(dup), precision);
    }

    /// <inheritdoc cref="Backend.SwiGluBackward"/>
    protected abstract void SwiGluBackward(
        Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32);

    /// <inheritdoc/>
    public override void ClampedSwiGluForward(Values gate, Values up, float limit, float alpha, int n, Values y)
    {
        using Scratch wide = new(this);
        ClampedSwiGluForward(wide.In(gate), wide.In(up), limit, alpha, n, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.ClampedSwiGluForward"/>
    protected abstract void ClampedSwiGluForward(Floats gate, Floats up, float limit, float alpha, int n, Floats y);

    /// <inheritdoc/>
    public override void ClampedSwiGluBackward(Values dy, Values gate, Values up, float limit, float alpha, int n, Target dgate, Target dup)
    {
        using Scratch wide = new(this);
        ClampedSwiGluBackward(wide.In(dy), wide.In(gate), wide.In(up), limit, alpha, n, wide.Out(dgate), wide.Out(dup));
    }

    /// <inheritdoc cref="Backend.ClampedSwiGluBackward"/>
    protected abstract void ClampedSwiGluBackward(
        Floats dy, Floats gate, Floats up, float limit, float alpha, int n, Target dgate, Target dup);

    /// <inheritdoc/>
    public override void EmbeddingForward(Weights table, Ints ids, int N, int V, int C, Values y)
    {
        using Scratch wide = new(this);
        EmbeddingForward(table, ids, N, V, C, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.EmbeddingForward"/>
    protected abstract void EmbeddingForward(Weights table, Ints ids, int N, int V, int C, Floats y);

    /// <inheritdoc/>
    public override void EmbeddingBackward(Values dy, Ints ids, int N, int V, int C, Target dtable)
    {
        using Scratch wide = new(this);
        EmbeddingBackward(wide.In(dy), ids, N, V, C, wide.Out(dtable));
    }

    /// <inheritdoc cref="Backend.EmbeddingBackward"/>
    protected abstract void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable);

    /// <inheritdoc/>
    public override void DispatchForward(Values x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y)
    {
        using Scratch wide = new(this);
        DispatchForward(wide.In(x), tokens, tokenOffsets, rowsByToken, rows, N, C, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.DispatchForward"/>
    protected abstract void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y);

    /// <inheritdoc/>
    public override void DispatchBackward(Values dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx)
    {
        using Scratch wide = new(this);
        DispatchBackward(wide.In(dy), tokenOffsets, rowsByToken, rows, N, C, wide.Out(dx));
    }

    /// <inheritdoc cref="Backend.DispatchBackward"/>
    protected abstract void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx);

    /// <inheritdoc/>
    public override void CombineForward(Values x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y)
    {
        using Scratch wide = new(this);
        CombineForward(wide.In(x), gates, tokenOffsets, rowsByToken, rows, N, C, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.CombineForward"/>
    protected abstract void CombineForward(Floats x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y);

    /// <inheritdoc/>
    public override void CombineBackward(Values dy, Values x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates)
    {
        using Scratch wide = new(this);
        CombineBackward(wide.In(dy), wide.In(x), gates, tokens, rows, N, C, wide.Out(dx), wide.Out(dgates));
    }

    /// <inheritdoc cref="Backend.CombineBackward"/>
    protected abstract void CombineBackward(
        Floats dy, Floats x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates);
}
