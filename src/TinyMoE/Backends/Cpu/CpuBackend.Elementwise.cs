using System.Numerics;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// One loop a shape of function; the function itself comes as a type (IUnary, IBinary) and is compiled into it.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void UnaryForward(Unary f, Floats x, int n, Floats y)
    {
        ForElements(n, (f, x, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            MapRow(s.f, s.x.Pointer + start, length, s.y.Pointer + start);
        });
    }

    /// <inheritdoc/>
    public override void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx)
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
    public override void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y)
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
    public override void BinaryBackward(Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db)
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
    public override void Affine(Floats x, float scale, float shift, int n, Target y)
    {
        if (y.IsNone)
            return;
        ForElements(n, (x, scale, shift, n, y), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            float* x = s.x.Pointer + start, y = s.y.View.Pointer + start;
            Vector<float> scale = new(s.scale), shift = new(s.shift);
            for (int i = 0; i < length; i += Lanes.Width)
                Lanes.Write(Lanes.Load(x + i, length - i) * scale + shift, y + i, length - i, s.y.Adds);
        });
    }

    /// <summary>y = f(x). x, y (n), or the same.</summary>
    private static void MapRow(Unary f, float* x, int n, float* y)
    {
        switch (f)
        {
            case Unary.Exp: MapRow<ExpFunction>(x, n, y); break;
            case Unary.Log: MapRow<LogFunction>(x, n, y); break;
            case Unary.Sqrt: MapRow<SqrtFunction>(x, n, y); break;
            case Unary.Square: MapRow<SquareFunction>(x, n, y); break;
            case Unary.Sigmoid: MapRow<SigmoidFunction>(x, n, y); break;
            case Unary.Tanh: MapRow<TanhFunction>(x, n, y); break;
            case Unary.Relu: MapRow<ReluFunction>(x, n, y); break;
            case Unary.Gelu: MapRow<GeluFunction>(x, n, y); break;
            case Unary.Silu: MapRow<SiluFunction>(x, n, y); break;
            case Unary.Softplus: MapRow<SoftplusFunction>(x, n, y); break;
            case Unary.NormalCdf: MapRow<NormalCdfFunction>(x, n, y); break;
            default: throw new ArgumentOutOfRangeException(nameof(f), f, "No such function.");
        }
    }

    private static void MapRow<F>(float* x, int n, float* y)
        where F : struct, IUnary
    {
        for (int i = 0; i < n; i += Lanes.Width)
            Lanes.Store(F.Value(Lanes.Load(x + i, n - i)), y + i, n - i);
    }

    /// <summary>dx = dy·f'(x).</summary>
    private void MapBackward<F>(Floats x, Floats y, Floats dy, int n, Target dx)
        where F : struct, IUnary
    {
        ForElements(n, (x, y, dy, n, dx), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            float* x = s.x.Pointer + start, y = s.y.Pointer + start, dy = s.dy.Pointer + start, dx = s.dx.View.Pointer + start;
            for (int i = 0; i < length; i += Lanes.Width)
            {
                Vector<float> slope = F.Slope(Lanes.Load(x + i, length - i), Lanes.Load(y + i, length - i));
                Lanes.Write(Lanes.Load(dy + i, length - i) * slope, dx + i, length - i, s.dx.Adds);
            }
        });
    }

    /// <summary>y = a ∘ b.</summary>
    private void Zip<F>(Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y)
        where F : struct, IBinary
    {
        int n = N * C;
        (N, C) = RowsOf(broadcast, N, C);
        ForRows(N, C, (a, b, broadcast, n, N, C, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int row = start; row < end; row++)
            {
                float* a = s.a.Pointer + row * s.C, b = RowOf(s.b, s.broadcast, row, s.C), y = s.y.Pointer + row * s.C;
                int length = Math.Min(s.C, s.n - row * s.C);
                Vector<float> single = new(*b);
                for (int i = 0; i < length; i += Lanes.Width)
                {
                    Vector<float> other = s.broadcast == Broadcast.Column ? single : Lanes.Load(b + i, length - i);
                    Lanes.Store(F.Value(Lanes.Load(a + i, length - i), other), y + i, length - i);
                }
            }
        });
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

    /// <summary>da = F.ByA(dy, b), db = F.ByB(dy, a, b), summed over what b was broadcast to.</summary>
    private void ProductBackward<F>(Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db)
        where F : struct, IProduct
    {
        if (broadcast == Broadcast.Row)
        {
            SumOverRows(N, C, (dy, a, b, C, da), db, Target.None, 1f, static (start, end, in s, sum, _) =>
            {
                fixed (float* db = sum)
                {
                    for (int row = start; row < end; row++)
                        ProductBackwardRow<F>(s.dy.Pointer + row * s.C, s.a.Pointer + row * s.C, s.b.Pointer, Broadcast.Row, s.C, At(s.da, row * s.C), s.da.Adds, db, dbAdds: true);
                }
            });
            return;
        }

        int n = N * C;
        (N, C) = RowsOf(broadcast, N, C);
        ForRows(N, C, (dy, a, b, broadcast, n, N, C, da, db), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int row = start; row < end; row++)
            {
                int at = row * s.C;
                bool column = s.broadcast == Broadcast.Column;
                float sum = ProductBackwardRow<F>(
                    s.dy.Pointer + at, s.a.Pointer + at, RowOf(s.b, s.broadcast, row, s.C), s.broadcast, Math.Min(s.C, s.n - at),
                    At(s.da, at), s.da.Adds, column ? null : At(s.db, at), s.db.Adds);
                if (column && !s.db.IsNone)
                    Write(s.db, row, sum);
            }
        });
    }

    /// <summary>One row of both gradients, each skipped where its pointer is null; returns the sum of db over the row.</summary>
    private static float ProductBackwardRow<F>(float* dy, float* a, float* b, Broadcast broadcast, int length, float* da, bool daAdds, float* db, bool dbAdds)
        where F : struct, IProduct
    {
        Vector<float> sum = Vector<float>.Zero, single = new(*b);
        for (int i = 0; i < length; i += Lanes.Width)
        {
            int left = length - i;
            Vector<float> dyHere = Lanes.Load(dy + i, left), bHere = broadcast == Broadcast.Column ? single : Lanes.Load(b + i, left, fill: 1f);
            if (da is not null)
                Lanes.Write(F.ByA(dyHere, bHere), da + i, left, daAdds);
            Vector<float> dbHere = F.ByB(dyHere, Lanes.Load(a + i, left), bHere);
            if (db is not null)
                Lanes.Write(dbHere, db + i, left, dbAdds);
            sum += dbHere;
        }

        return Vector.Sum(sum);
    }

    /// <summary>Without a broadcast rows do not matter: as few and long as pieces allow, the last one shorter.</summary>
    private static (int N, int C) RowsOf(Broadcast broadcast, int N, int C) => broadcast == Broadcast.None ? (Pieces(N * C, PieceSize), PieceSize) : (N, C);

    /// <summary>What row <paramref name="row"/> of the first operand meets.</summary>
    private static float* RowOf(Floats b, Broadcast broadcast, int row, int C) => b.Pointer + (broadcast switch { Broadcast.None => row * C, Broadcast.Column => row, _ => 0 });

    /// <summary>The place in an output, null when nobody wants it.</summary>
    private static float* At(Target y, int index) => y.IsNone ? null : y.View.Pointer + index;
}
