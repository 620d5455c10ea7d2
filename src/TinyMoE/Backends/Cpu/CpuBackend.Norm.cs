using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// A row stays in the first-level cache between its passes (sum, statistics, output).
// The backwards make dx, dbranch and their block's part of dw and db in one visit; where there are more threads than blocks, apart.
public sealed unsafe partial class CpuBackend
{
    private const int SummedColumns = 128; // that a piece of the sums has where they are apart

    /// <inheritdoc/>
    protected override void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r) =>
        ForRows(N, C, new RmsNormLoop(x, branch, w, C, eps, s, y, r));

    /// <inheritdoc/>
    protected override void RmsNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw) =>
        NormBackward(new NormBackwardLoop(dy, ds, s, w, default, r, C, dx, dbranch), N, dw, Target.None);

    /// <inheritdoc/>
    protected override void LayerNormForward(
        Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r) =>
        ForRows(N, C, new LayerNormLoop(x, branch, w, b, C, eps, s, y, mean, r));

    /// <inheritdoc/>
    protected override void LayerNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db) =>
        NormBackward(new NormBackwardLoop(dy, ds, s, w, mean, r, C, dx, dbranch), N, dw, db);

    private void NormBackward(in NormBackwardLoop loop, int N, Target dw, Target db)
    {
        int blocks = Ceiling.Divide(N, RowsPerBlock(N, loop.C));
        if (workers.Threads > Products.ManyThreads && blocks > 1 && blocks < 2 * workers.Threads)
            NormBackwardApart(loop, N, dw, db);
        else
            SumOverRows(N, loop.C, loop, dw, db, 1f, static (start, end, in loop, dw, db) =>
                Simd.Run(loop with { Dw = dw, Db = db }, start, end, loop.C));
    }

    /// <summary>The same sums, of the same blocks, in pieces of some columns, and in one loop with them pieces of rows, which sum nothing.
    /// </summary>
    private void NormBackwardApart(in NormBackwardLoop loop, int N, Target dw, Target db)
    {
        int C = loop.C, rows = RowsPerBlock(N, C), blocks = Ceiling.Divide(N, rows);
        int across = dw.IsNone && db.IsNone ? 0 : Ceiling.Divide(C, SummedColumns);
        int fewRows = Math.Max(1, PieceOf((long)N * C) / C);
        DeviceBuffer buffer = Pool.Rent(2L * blocks * C * sizeof(float));
        Floats both = buffer.As<float>(2 * blocks * C);          // (2, blocks, C)
        Floats dws = dw.IsNone ? default : both.Slice(0, blocks * C), dbs = db.IsNone ? default : both.Slice(blocks * C, blocks * C);
        int sums = blocks * across;
        workers.For(sums + Ceiling.Divide(N, fewRows), (loop, N, rows, sums, across, fewRows, dws, dbs), static (piece, in s) =>
        {
            int C = s.loop.C;
            if (piece >= s.sums)
            {
                int first = (piece - s.sums) * s.fewRows;
                Simd.Run(in s.loop, first, Math.Min(s.N, first + s.fewRows), C);
                return;
            }

            var (block, part) = Math.DivRem(piece, s.across);
            int column = part * SummedColumns, columns = Math.Min(SummedColumns, C - column), at = block * C + column;
            Floats dw = s.dws.IsNone ? default : s.dws.Slice(at, columns), db = s.dbs.IsNone ? default : s.dbs.Slice(at, columns);
            dw.Span.Clear();
            db.Span.Clear();
            Simd.Run(new NormSumsLoop(s.loop with { Dw = dw, Db = db }, column, columns),
                block * s.rows, Math.Min(s.N, (block + 1) * s.rows), columns);
        });
        if (!dw.IsNone)
            AddPartials(dws, 1f, blocks, C, dw);
        if (!db.IsNone)
            AddPartials(dbs, 1f, blocks, C, db);
        Pool.Return(buffer);
    }

    /// <summary>Row n of x, or of s = x + branch, which it computes.</summary>
    private static float* SumOfRow<TSimd, TVector>(Floats x, Floats branch, Floats sum, int n, int C)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        nint at = (nint)n * C;
        if (branch.IsNone)
            return x.Pointer + at;
        float* a = x.Pointer + at, b = branch.Pointer + at, to = sum.Pointer + at;
        for (int c = 0; c < C; c += TSimd.Count)
            TSimd.Store(TSimd.Add(TSimd.Load(a + c, C - c), TSimd.Load(b + c, C - c)), to + c, C - c);
        return to;
    }

    /// <summary>Σ x.</summary>
    private static float Sum<TSimd, TVector>(float* x, int C)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector sum = TSimd.Broadcast(0f);
        for (int c = 0; c < C; c += TSimd.Count)
            sum = TSimd.Add(sum, TSimd.Load(x + c, C - c));
        return TSimd.Sum(sum);
    }

    /// <summary>Σ (x − center)², in two chains of additions.</summary>
    private static float SquaredDistance<TSimd, TVector>(float* x, float center, int C)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector shift = TSimd.Broadcast(center), even = TSimd.Broadcast(0f), odd = even;
        int c = 0;
        for (; C - c > TSimd.Count; c += 2 * TSimd.Count)
        {
            TVector one = TSimd.Subtract(TSimd.Load(x + c), shift),
                two = TSimd.Subtract(TSimd.Load(x + c + TSimd.Count, C - c - TSimd.Count, center), shift);
            even = TSimd.MultiplyAdd(one, one, even);
            odd = TSimd.MultiplyAdd(two, two, odd);
        }

        if (c < C)
        {
            TVector last = TSimd.Subtract(TSimd.Load(x + c, C - c, center), shift);
            even = TSimd.MultiplyAdd(last, last, even);
        }

        return TSimd.Sum(TSimd.Add(even, odd));
    }

    /// <summary>y = x·r·w with r = 1/√(mean(x²) + eps), x the sum with the branch.</summary>
    private readonly record struct RmsNormLoop(
        Floats X, Floats Branch, Floats W, int C, float Eps, Floats S, Floats Y, Floats R) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int C = this.C;
            float* w = W.Pointer;
            for (int n = start; n < end; n++)
            {
                float* x = SumOfRow<TSimd, TVector>(X, Branch, S, n, C), y = Y.Pointer + n * C;
                float r = 1f / MathF.Sqrt(SquaredDistance<TSimd, TVector>(x, 0f, C) / C + Eps);
                TVector scale = TSimd.Broadcast(r);
                for (int c = 0; c < C; c += TSimd.Count)
                    TSimd.Store(TSimd.Multiply(TSimd.Multiply(TSimd.Load(x + c, C - c), scale), TSimd.Load(w + c, C - c)), y + c, C - c);
                R.Pointer[n] = r;
            }
        }
    }

    /// <summary>y = (x − mean)·r·w + b with r = 1/√(variance + eps), x the sum with the branch; without b when there is none.</summary>
    private readonly record struct LayerNormLoop(
        Floats X, Floats Branch, Floats W, Floats B, int C, float Eps, Floats S, Floats Y, Floats Mean, Floats R) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int C = this.C;
            float* w = W.Pointer, b = B.Pointer;
            for (int n = start; n < end; n++)
            {
                float* x = SumOfRow<TSimd, TVector>(X, Branch, S, n, C), y = Y.Pointer + n * C;
                float mean = Sum<TSimd, TVector>(x, C) / C;
                float r = 1f / MathF.Sqrt(SquaredDistance<TSimd, TVector>(x, mean, C) / C + Eps);
                TVector shift = TSimd.Broadcast(mean), scale = TSimd.Broadcast(r);
                for (int c = 0; c < C; c += TSimd.Count)
                {
                    int left = C - c;
                    TVector normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + c, left), shift), scale),
                        weight = TSimd.Load(w + c, left);
                    TSimd.Store(b is null ? TSimd.Multiply(normal, weight) : TSimd.MultiplyAdd(normal, weight, TSimd.Load(b + c, left)),
                        y + c, left);
                }

                Mean.Pointer[n] = mean;
                R.Pointer[n] = r;
            }
        }
    }

    /// <summary>
    /// Either norm's backward, with x̂ = (x − mean)·r: dx = r·(dy·w − mean(dy·w) − x̂·mean(dy·w·x̂)) + ds, the first
    /// mean only when there are means; dbranch is the same, dw += dy·x̂, db += dy. What nobody wants is skipped.
    /// </summary>
    private readonly record struct NormBackwardLoop(
        Floats Dy, Floats Ds, Floats X, Floats W, Floats Mean, Floats R, int C, Target Dx, Target Dbranch) : IVectorLoop
    {
        public Floats Dw { get; init; }

        public Floats Db { get; init; }

        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int C = this.C;
            float* w = W.Pointer, dw = Dw.Pointer, db = Db.Pointer;
            bool centered = !Mean.IsNone, dxAdds = Dx.Adds, dbranchAdds = Dbranch.Adds;
            for (int n = start; n < end; n++)
            {
                int at = n * C;
                float* dy = Dy.Pointer + at, ds = At(Ds, at), x = X.Pointer + at, dx = At(Dx, at), dbranch = At(Dbranch, at);
                TVector shift = TSimd.Broadcast(centered ? Mean.Pointer[n] : 0f), r = TSimd.Broadcast(R.Pointer[n]),
                    sum = TSimd.Broadcast(0f), dot = sum;
                for (int c = 0; c < C; c += TSimd.Count)
                {
                    int left = C - c;
                    // missing lanes are zero
                    TVector dyHere = TSimd.Load(dy + c, left), slope = TSimd.Multiply(dyHere, TSimd.Load(w + c, left));
                    TVector normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + c, left), shift), r);
                    sum = TSimd.Add(sum, slope);
                    dot = TSimd.MultiplyAdd(slope, normal, dot);
                    if (dw is not null)
                        TSimd.Store(TSimd.MultiplyAdd(dyHere, normal, TSimd.Load(dw + c, left)), dw + c, left);
                    if (db is not null)
                        TSimd.Write(dyHere, db + c, left, adds: true);
                }

                if (dx is null && dbranch is null)
                    continue;
                TVector meanSlope = TSimd.Broadcast(centered ? TSimd.Sum(sum) / C : 0f), meanDot = TSimd.Broadcast(TSimd.Sum(dot) / C);
                for (int c = 0; c < C; c += TSimd.Count)
                {
                    int left = C - c;
                    TVector slope = TSimd.Multiply(TSimd.Load(dy + c, left), TSimd.Load(w + c, left));
                    TVector normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + c, left), shift), r);
                    TVector dxHere = TSimd.Multiply(TSimd.Subtract(TSimd.Subtract(slope, meanSlope), TSimd.Multiply(normal, meanDot)), r);
                    if (ds is not null)
                        dxHere = TSimd.Add(dxHere, TSimd.Load(ds + c, left));
                    if (dx is not null)
                        TSimd.Write(dxHere, dx + c, left, dxAdds);
                    if (dbranch is not null)
                        TSimd.Write(dxHere, dbranch + c, left, dbranchAdds);
                }
            }
        }
    }

    /// <summary>Of either norm's backward the sums alone, of some columns: dw += dy·x̂, db += dy.</summary>
    private readonly record struct NormSumsLoop(NormBackwardLoop Loop, int Column, int Columns) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int width = Columns;
            float* dw = Loop.Dw.Pointer, db = Loop.Db.Pointer;
            for (int n = start; n < end; n++)
            {
                int at = n * Loop.C + Column;
                float* dy = Loop.Dy.Pointer + at, x = Loop.X.Pointer + at;
                TVector shift = TSimd.Broadcast(Loop.Mean.IsNone ? 0f : Loop.Mean.Pointer[n]), r = TSimd.Broadcast(Loop.R.Pointer[n]);
                for (int c = 0; c < width; c += TSimd.Count)
                {
                    int left = width - c;
                    TVector dyHere = TSimd.Load(dy + c, left);
                    TVector normal = TSimd.Multiply(TSimd.Subtract(TSimd.Load(x + c, left), shift), r);
                    if (dw is not null)
                        TSimd.Store(TSimd.MultiplyAdd(dyHere, normal, TSimd.Load(dw + c, left)), dw + c, left);
                    if (db is not null)
                        TSimd.Write(dyHere, db + c, left, adds: true);
                }
            }
        }
    }
}
