using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void UnaryForward(Unary f, Values x, int n, Values y)
    {
        using (Time(new(nameof(UnaryForward), n, Form: f.ToString()), flops: n, values: In(x, n) + In(y, n)))
            device?.UnaryForward(f, x, n, y);
    }

    /// <inheritdoc/>
    public override void UnaryBackward(Unary f, Values x, Values y, Values dy, int n, Target dx)
    {
        using (Time(
            new(nameof(UnaryBackward), n, Form: f.ToString()), flops: 2.0 * n, values: In(x, n) + In(y, n) + In(dy, n) + Out(dx, n)))
            device?.UnaryBackward(f, x, y, dy, n, dx);
    }

    /// <inheritdoc/>
    public override void BinaryForward(Binary f, Values a, Values b, Broadcast broadcast, int N, int C, Values y)
    {
        using (Time(
            new(nameof(BinaryForward), N, C, Form: f.ToString()), flops: Area(N, C),
            values: In(a, Area(N, C)) + In(y, Area(N, C)) + In(b, Second(broadcast, N, C))))
            device?.BinaryForward(f, a, b, broadcast, N, C, y);
    }

    /// <inheritdoc/>
    public override void BinaryBackward(Binary f, Values dy, Values a, Values b, Broadcast broadcast, int N, int C, Target da, Target db)
    {
        using (Time(
            new(nameof(BinaryBackward), N, C, Form: f.ToString()), flops: 2.0 * N * C,
            values: In(dy, Area(N, C)) + In(a, Area(N, C)) + In(b, Second(broadcast, N, C)) + Out(da, Area(N, C))
                + Out(db, Second(broadcast, N, C))))
            device?.BinaryBackward(f, dy, a, b, broadcast, N, C, da, db);
    }

    /// <inheritdoc/>
    public override void Affine(Values x, float scale, float shift, int n, Target y)
    {
        using (Time(new(nameof(Affine), n), flops: 2.0 * n, values: In(x, n) + Out(y, n)))
            device?.Affine(x, scale, shift, n, y);
    }

    /// <inheritdoc/>
    public override void ClampForward(Values x, float low, float high, int n, Values y)
    {
        using (Time(new(nameof(ClampForward), n), flops: 2.0 * n, values: In(x, n) + In(y, n)))
            device?.ClampForward(x, low, high, n, y);
    }

    /// <inheritdoc/>
    public override void ClampBackward(Values x, Values dy, float low, float high, int n, Target dx)
    {
        using (Time(new(nameof(ClampBackward), n), flops: 2.0 * n, values: In(x, n) + In(dy, n) + Out(dx, n)))
            device?.ClampBackward(x, dy, low, high, n, dx);
    }

    /// <summary>Values of a second operand.</summary>
    private static double Second(Broadcast broadcast, int N, int C) => broadcast switch
    {
        Broadcast.None => Area(N, C),
        Broadcast.Row => C,
        _ => N,
    };
}
