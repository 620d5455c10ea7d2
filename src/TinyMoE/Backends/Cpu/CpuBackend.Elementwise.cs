using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// One loop a shape of function; the function itself comes as a type (IUnary, IBinary) and is compiled into it.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    protected override void UnaryForward(Unary f, Floats x, int n, Floats y)
    {
        ForElements(n, (f, x, y), static (start, end, in s) =>
        {
            Map(s.f, s.x, start, end, s.y);
        });
    }

    /// <inheritdoc/>
    protected override void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx)
    {
        if (dx.IsNone)
            return;
        switch (f)
        {
            case Unary.Exp: MapBackward<ExpFunction>(x, y, dy, n, dx); break;
            case Unary.Log: MapBackward<LogFunction>(x, y, dy, n, dx); break;
            case Unary.Sqrt: MapBackward<SqrtFunction>(x, y, dy, n, dx); break;
            case Unary.Square: MapBackward<SquareFunction>(x, y, dy, n, dx); break;
            case Unary.Sigmoid: MapBackward<SigmoidFunction>(x, y, dy, n, dx); break;
            case Unary.Tanh: MapBackward<TanhFunction>(x, y, dy, n, dx); break;
            case Unary.Relu: MapBackward<ReluFunction>(x, y, dy, n, dx); break;
            case Unary.Gelu: MapBackward<GeluFunction>(x, y, dy, n, dx); break;
            case Unary.Silu: MapBackward<SiluFunction>(x, y, dy, n, dx); break;
            case Unary.Softplus: MapBackward<SoftplusFunction>(x, y, dy, n, dx); break;
            case Unary.NormalCdf: MapBackward<NormalCdfFunction>(x, y, dy, n, dx); break;
            default: throw new ArgumentOutOfRangeException(nameof(f), f, "No such function.");
        }
    }

    /// <inheritdoc/>
    protected override void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y)
    {
        switch (f)
        {
            case Binary.Add: Zip<AddFunction>(a, b, broadcast, N, C, y); break;
            case Binary.Subtract: Zip<SubtractFunction>(a, b, broadcast, N, C, y); break;
            case Binary.Multiply: Zip<MultiplyFunction>(a, b, broadcast, N, C, y); break;
            case Binary.Divide: Zip<DivideFunction>(a, b, broadcast, N, C, y); break;
            default: throw new ArgumentOutOfRangeException(nameof(f), f, "No such function.");
        }
    }

    /// <inheritdoc/>
    protected override void BinaryBackward(Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db)
    {
        switch (f)
        {
            case Binary.Add: SumBackward(dy, 1f, broadcast, N, C, da, db); break;
            case Binary.Subtract: SumBackward(dy, -1f, broadcast, N, C, da, db); break;
            case Binary.Multiply: ProductBackward<MultiplyFunction>(dy, a, b, broadcast, N, C, da, db); break;
            case Binary.Divide: ProductBackward<DivideFunction>(dy, a, b, broadcast, N, C, da, db); break;
            default: throw new ArgumentOutOfRangeException(nameof(f), f, "No such function.");
        }
    }

    /// <inheritdoc/>
    protected override void Affine(Floats x, float scale, float shift, int n, Target y)
    {
        if (!y.IsNone)
            ForElements(n, new AffineLoop(x, scale, shift, y));
    }

    /// <inheritdoc/>
    protected override void ClampForward(Floats x, float low, float high, int n, Floats y) =>
        ForElements(n, new ClampLoop(x, low, high, y));

    /// <inheritdoc/>
    protected override void ClampBackward(Floats x, Floats dy, float low, float high, int n, Target dx)
    {
        if (!dx.IsNone)
            ForElements(n, new ClampBackwardLoop(x, dy, low, high, dx));
    }

    /// <summary>y = f(x) for elements <paramref name="start"/> to before <paramref name="end"/>; y may be x.</summary>
    private static void Map(Unary f, Floats x, int start, int end, Floats y)
    {
        switch (f)
        {
            case Unary.Exp: Map<ExpFunction>(x, start, end, y); break;
            case Unary.Log: Map<LogFunction>(x, start, end, y); break;
            case Unary.Sqrt: Map<SqrtFunction>(x, start, end, y); break;
            case Unary.Square: Map<SquareFunction>(x, start, end, y); break;
            case Unary.Sigmoid: Map<SigmoidFunction>(x, start, end, y); break;
            case Unary.Tanh: Map<TanhFunction>(x, start, end, y); break;
            case Unary.Relu: Map<ReluFunction>(x, start, end, y); break;
            case Unary.Gelu: Map<GeluFunction>(x, start, end, y); break;
            case Unary.Silu: Map<SiluFunction>(x, start, end, y); break;
            case Unary.Softplus: Map<SoftplusFunction>(x, start, end, y); break;
            case Unary.NormalCdf: Map<NormalCdfFunction>(x, start, end, y); break;
            default: throw new ArgumentOutOfRangeException(nameof(f), f, "No such function.");
        }
    }

    private static void Map<F>(Floats x, int start, int end, Floats y)
        where F : struct, IUnary => Simd.Run(new MapLoop<F>(x, y), start, end);

    private void MapBackward<F>(Floats x, Floats y, Floats dy, int n, Target dx)
        where F : struct, IUnary => ForElements(n, new MapBackwardLoop<F>(x, y, dy, dx));

    private void Zip<F>(Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y)
        where F : struct, IBinary
    {
        int n = N * C;
        (N, C) = RowsOf(broadcast, N, C);
        ForRows(N, C, new ZipLoop<F>(a, b, broadcast, n, C, y), run: broadcast == Broadcast.None ? n : C);
    }

    /// <summary>da = dy, db = sign·dy, summed over what b was broadcast to.</summary>
    private void SumBackward(Floats dy, float sign, Broadcast broadcast, int N, int C, Target da, Target db)
    {
        Affine(dy, 1f, 0f, N * C, da);
        switch (broadcast)
        {
            case Broadcast.Row: SumRows(dy, sign, N, C, db); break;
            case Broadcast.Column: SumColumns(dy, sign, N, C, db); break;
            default: Affine(dy, sign, 0f, N * C, db); break;
        }
    }

    private void ProductBackward<F>(Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db)
        where F : struct, IProduct
    {
        int n = N * C;
        if (broadcast == Broadcast.Row)
        {
            SumOverRows(N, C, new ProductBackwardLoop<F>(dy, a, b, broadcast, n, C, da, Target.None), db, Target.None, 1f,
                static (start, end, in loop, sum, _) =>
                Simd.Run(loop with { Db = new Target(sum, Adds: true) }, start, end, loop.C));
            return;
        }

        (N, C) = RowsOf(broadcast, N, C);
        ForRows(N, C, new ProductBackwardLoop<F>(dy, a, b, broadcast, n, C, da, db), run: broadcast == Broadcast.None ? n : C);
    }

    /// <summary>Without a broadcast rows do not matter: as few and long as pieces allow, the last one shorter.</summary>
    private (int N, int C) RowsOf(Broadcast broadcast, int N, int C) =>
        broadcast == Broadcast.None ? (Ceiling.Divide(N * C, PieceOf(N * C)), PieceOf(N * C)) : (N, C);

    /// <summary>What row <paramref name="row"/> of the first operand meets.</summary>
    private static float* RowOf(Floats b, Broadcast broadcast, int row, int C) =>
        b.Pointer + (broadcast switch { Broadcast.None => row * C, Broadcast.Column => row, _ => 0 });

    /// <summary>The place in an output, null when nobody wants it.</summary>
    private static float* At(Target y, int index) => y.IsNone ? null : y.View.Pointer + index;

    /// <summary>y = or += x·scale + shift.</summary>
    private readonly record struct AffineLoop(Floats X, float Scale, float Shift, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* x = X.Pointer, y = Y.View.Pointer;
            bool adds = Y.Adds;
            TVector scale = TSimd.Broadcast(Scale), shift = TSimd.Broadcast(Shift);
            for (int i = start; i < end; i += TSimd.Count)
                TSimd.Write(TSimd.MultiplyAdd(TSimd.Load(x + i, end - i), scale, shift), y + i, end - i, adds);
        }
    }

    /// <summary>y = min(max(x, low), high); of two NaNs or numbers the second stays, which is x.</summary>
    private readonly record struct ClampLoop(Floats X, float Low, float High, Floats Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* x = X.Pointer, y = Y.Pointer;
            TVector low = TSimd.Broadcast(Low), high = TSimd.Broadcast(High);
            for (int i = start; i < end; i += TSimd.Count)
                TSimd.Store(TSimd.Min(high, TSimd.Max(low, TSimd.Load(x + i, end - i))), y + i, end - i);
        }
    }

    /// <summary>dx = dy where low ≤ x ≤ high, else 0.</summary>
    private readonly record struct ClampBackwardLoop(Floats X, Floats Dy, float Low, float High, Target Dx) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* x = X.Pointer, dy = Dy.Pointer, dx = Dx.View.Pointer;
            bool adds = Dx.Adds;
            TVector low = TSimd.Broadcast(Low), high = TSimd.Broadcast(High), zero = TSimd.Broadcast(0f);
            for (int i = start; i < end; i += TSimd.Count)
            {
                TVector value = TSimd.Load(x + i, end - i), slope = TSimd.Load(dy + i, end - i);
                slope = TSimd.WhereLess(value, low, zero, TSimd.WhereLess(high, value, zero, slope));
                TSimd.Write(slope, dx + i, end - i, adds);
            }
        }
    }

    /// <summary>y = f(x).</summary>
    private readonly record struct MapLoop<F>(Floats X, Floats Y) : IVectorLoop
        where F : struct, IUnary
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* x = X.Pointer, y = Y.Pointer;
            for (int i = start; i < end; i += TSimd.Count)
                TSimd.Store(F.Value<TSimd, TVector>(TSimd.Load(x + i, end - i)), y + i, end - i);
        }
    }

    /// <summary>dx = dy·f'(x).</summary>
    private readonly record struct MapBackwardLoop<F>(Floats X, Floats Y, Floats Dy, Target Dx) : IVectorLoop
        where F : struct, IUnary
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* x = X.Pointer, y = Y.Pointer, dy = Dy.Pointer, dx = Dx.View.Pointer;
            bool adds = Dx.Adds;
            for (int i = start; i < end; i += TSimd.Count)
            {
                TVector slope = F.Slope<TSimd, TVector>(TSimd.Load(x + i, end - i), TSimd.Load(y + i, end - i));
                TSimd.Write(TSimd.Multiply(TSimd.Load(dy + i, end - i), slope), dx + i, end - i, adds);
            }
        }
    }

    /// <summary>y = a ∘ b, in rows of C of Count elements.</summary>
    private readonly record struct ZipLoop<F>(Floats A, Floats B, Broadcast Broadcast, int Count, int C, Floats Y) : IVectorLoop
        where F : struct, IBinary
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            bool column = Broadcast == Broadcast.Column;
            float* a = A.Pointer + start * C, y = Y.Pointer + start * C;
            for (int row = start; row < end; row++, a += C, y += C)
            {
                int length = Math.Min(C, Count - row * C);
                float* b = RowOf(B, Broadcast, row, C);
                TVector single = TSimd.Broadcast(*b);
                for (int i = 0; i < length; i += TSimd.Count)
                {
                    TVector other = column ? single : TSimd.Load(b + i, length - i);
                    TSimd.Store(F.Value<TSimd, TVector>(TSimd.Load(a + i, length - i), other), y + i, length - i);
                }
            }
        }
    }

    /// <summary>da = F.ByA(dy, b), db = F.ByB(dy, a, b), summed over what b was broadcast
    /// to; each skipped when nobody wants it. In rows of C of Count elements.</summary>
    private readonly record struct ProductBackwardLoop<F>(
        Floats Dy, Floats A, Floats B, Broadcast Broadcast, int Count, int C, Target Da, Target Db) : IVectorLoop
        where F : struct, IProduct
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            bool column = Broadcast == Broadcast.Column, daAdds = Da.Adds, dbAdds = Db.Adds;
            for (int row = start; row < end; row++)
            {
                int at = row * C, length = Math.Min(C, Count - at);
                float* dy = Dy.Pointer + at, a = A.Pointer + at, b = RowOf(B, Broadcast, row, C), da = At(Da, at);
                float* db = column ? null : At(Db, Broadcast == Broadcast.Row ? 0 : at);
                TVector sum = TSimd.Broadcast(0f), single = TSimd.Broadcast(*b);
                for (int i = 0; i < length; i += TSimd.Count)
                {
                    int left = length - i;
                    TVector dyHere = TSimd.Load(dy + i, left), bHere = column ? single : TSimd.Load(b + i, left, fill: 1f);
                    if (da is not null)
                        TSimd.Write(F.ByA<TSimd, TVector>(dyHere, bHere), da + i, left, daAdds);
                    TVector dbHere = F.ByB<TSimd, TVector>(dyHere, TSimd.Load(a + i, left), bHere);
                    if (db is not null)
                        TSimd.Write(dbHere, db + i, left, dbAdds);
                    sum = TSimd.Add(sum, dbHere);
                }

                if (column && !Db.IsNone)
                    Write(Db, row, TSimd.Sum(sum));
            }
        }
    }
}
