using TinyMoE.Memory;

namespace TinyMoE.Backends.Widening;

// Functions of one value and of two, sums of rows, dropout, copies.
public abstract partial class WideningBackend
{
    /// <inheritdoc/>
    public override void UnaryForward(Unary f, Values x, int n, Values y)
    {
        using Scratch wide = new(this);
        UnaryForward(f, wide.In(x), n, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.UnaryForward"/>
    protected abstract void UnaryForward(Unary f, Floats x, int n, Floats y);

    /// <inheritdoc/>
    public override void UnaryBackward(Unary f, Values x, Values y, Values dy, int n, Target dx)
    {
        using Scratch wide = new(this);
        UnaryBackward(f, wide.In(x), wide.In(y), wide.In(dy), n, wide.Out(dx));
    }

    /// <inheritdoc cref="Backend.UnaryBackward"/>
    protected abstract void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx);

    /// <inheritdoc/>
    public override void BinaryForward(Binary f, Values a, Values b, Broadcast broadcast, int N, int C, Values y)
    {
        using Scratch wide = new(this);
        BinaryForward(f, wide.In(a), wide.In(b), broadcast, N, C, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.BinaryForward"/>
    protected abstract void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y);

    /// <inheritdoc/>
    public override void BinaryBackward(Binary f, Values dy, Values a, Values b, Broadcast broadcast, int N, int C, Target da, Target db)
    {
        using Scratch wide = new(this);
        BinaryBackward(f, wide.In(dy), wide.In(a), wide.In(b), broadcast, N, C, wide.Out(da), wide.Out(db));
    }

    /// <inheritdoc cref="Backend.BinaryBackward"/>
    protected abstract void BinaryBackward(
        Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db);

    /// <inheritdoc/>
    public override void Affine(Values x, float scale, float shift, int n, Target y)
    {
        using Scratch wide = new(this);
        Affine(wide.In(x), scale, shift, n, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.Affine"/>
    protected abstract void Affine(Floats x, float scale, float shift, int n, Target y);

    /// <inheritdoc/>
    public override void ClampForward(Values x, float low, float high, int n, Values y)
    {
        using Scratch wide = new(this);
        ClampForward(wide.In(x), low, high, n, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.ClampForward"/>
    protected abstract void ClampForward(Floats x, float low, float high, int n, Floats y);

    /// <inheritdoc/>
    public override void ClampBackward(Values x, Values dy, float low, float high, int n, Target dx)
    {
        using Scratch wide = new(this);
        ClampBackward(wide.In(x), wide.In(dy), low, high, n, wide.Out(dx));
    }

    /// <inheritdoc cref="Backend.ClampBackward"/>
    protected abstract void ClampBackward(Floats x, Floats dy, float low, float high, int n, Target dx);

    /// <inheritdoc/>
    public override void Dropout(Values x, in Dropout dropout, int n, Target y)
    {
        using Scratch wide = new(this);
        Dropout(wide.In(x), in dropout, n, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.Dropout"/>
    protected abstract void Dropout(Floats x, in Dropout dropout, int n, Target y);

    /// <inheritdoc/>
    public override void SumRows(Values x, float scale, int N, int C, Target y)
    {
        using Scratch wide = new(this);
        SumRows(wide.In(x), scale, N, C, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.SumRows"/>
    protected abstract void SumRows(Floats x, float scale, int N, int C, Target y);

    /// <inheritdoc/>
    public override void Fill(Values y, float value)
    {
        using Scratch wide = new(this);
        Fill(wide.Out(y), value);
    }

    /// <inheritdoc cref="Backend.Fill"/>
    protected abstract void Fill(Floats y, float value);

    /// <inheritdoc/>
    public override void CopyColumns(Values x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
    {
        using Scratch wide = new(this);
        CopyColumns(wide.In(x), xWidth, xStart, N, C, yWidth, yStart, wide.InOut(y));
    }

    /// <inheritdoc cref="Backend.CopyColumns"/>
    protected abstract void CopyColumns(Floats x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y);

    /// <inheritdoc/>
    public override void RepeatRows(Values x, int N, int C, int times, int yWidth, int yStart, Target y)
    {
        using Scratch wide = new(this);
        RepeatRows(wide.In(x), N, C, times, yWidth, yStart, wide.InOut(y));
    }

    /// <inheritdoc cref="Backend.RepeatRows"/>
    protected abstract void RepeatRows(Floats x, int N, int C, int times, int yWidth, int yStart, Target y);

    /// <inheritdoc/>
    public override void SumRepeatedRows(Values x, int xWidth, int xStart, int N, int C, int times, Target y)
    {
        using Scratch wide = new(this);
        SumRepeatedRows(wide.In(x), xWidth, xStart, N, C, times, wide.Out(y));
    }

    /// <inheritdoc cref="Backend.SumRepeatedRows"/>
    protected abstract void SumRepeatedRows(Floats x, int xWidth, int xStart, int N, int C, int times, Target y);
}
