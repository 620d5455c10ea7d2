using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// The backward of attention. A piece is one key and value head of one sequence: it alone sums dk and
/// dv there, over its query heads and their blocks in order. Per block the weights come back from the
/// scores and the saved log-sum-exp; weights and slopes are (keys, lanes) as in the forward.
/// Where there are many more threads than such heads, dk and dv are summed first, a piece being some of a head's keys,
/// then dq, a piece being some of its queries (as in FlashAttention 2, Dao 2023): seven products in place of five, on threads
/// that had none. Each sum keeps its order: dk and dv go over all queries, dq over all keys.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    protected override void AttentionBackward(
        Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles)
    {
        BackwardData data = new(dy, q, k, v, y, logSumExp, sizes, dropout, dq, dk, dv);
        Simd.Run(new BackwardWork(this, data), Simd.BitsOf(sizes.D, FewHeadValues));
        TurnBack(dq, dk, sizes, angles);
    }

    private void AttentionBackward<TSimd, TVector>(BackwardData data)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        AttentionSizes sizes = data.Sizes;
        int keyHeads = sizes.B * sizes.KvHeads;
        if (!SplitsHeads(keyHeads, sizes.T))
        {
            workers.For(keyHeads, (data, workers), static (piece, in s) =>
                AttendBackward<TSimd, TVector>(piece, s.data, new Part(s.data.Sizes), s.workers));
            return;
        }

        // The first keys, which the most queries see, come first, then the last queries, which see the most keys.
        if (!data.Dk.IsNone || !data.Dv.IsNone)
        {
            int keys = KeysOf(keyHeads, sizes.S);
            workers.For(keyHeads * Ceiling.Divide(sizes.S, keys), (data: data with { Dq = Target.None }, keyHeads, keys, workers),
                static (piece, in s) =>
                {
                    var (range, keyHead) = Math.DivRem(piece, s.keyHeads);
                    Part part = new(s.data.Sizes) { FirstKey = range * s.keys, EndKey = Math.Min(s.data.Sizes.S, (range + 1) * s.keys) };
                    AttendBackward<TSimd, TVector>(keyHead, s.data, part, s.workers);
                });
        }

        if (data.Dq.IsNone)
            return;
        int heads = sizes.B * sizes.H, queries = QueriesOf(heads, sizes.T);
        workers.For(heads * Ceiling.Divide(sizes.T, queries), (data: data with { Dk = Target.None, Dv = Target.None }, queries, workers),
            static (piece, in s) =>
            {
                AttentionSizes sizes = s.data.Sizes;
                var (head, first) = LastFirst(piece, sizes, s.queries);
                int group = sizes.H / sizes.KvHeads;
                Part part = new(sizes)
                {
                    FirstHead = head % group,
                    EndHead = head % group + 1,
                    FirstQuery = first,
                    EndQuery = Math.Min(sizes.T, first + s.queries),
                };
                AttendBackward<TSimd, TVector>(head / group, s.data, part, s.workers);
            });
    }

    /// <summary>Whether so many threads would wait for the heads that the work may double: two
    /// products more, and a block's queries and dy are turned again for each range of keys.</summary>
    private bool SplitsHeads(int keyHeads, int T) =>
        T >= 2 * FewestPerPiece && Ceiling.Divide(keyHeads, workers.Threads) * workers.Threads >= 3 * keyHeads;

    /// <summary>Keys of a piece that sums dk and dv: whole blocks, which no piece cuts.</summary>
    private int KeysOf(int keyHeads, int S)
    {
        int ranges = Math.Clamp(Ceiling.Divide(2 * workers.Threads, keyHeads), 1, Ceiling.Divide(S, FewestPerPiece));
        return Ceiling.Multiple(Ceiling.Divide(S, ranges), FewestPerPiece);
    }

    // With P the weights, M the factors of dropout, and δ[t] = dy[t]·y[t]:
    // dv[s] = Σ_t P·M·dy[t],   dS = P·(M·(dy[t]·v[s]) − δ[t]),   dq[t] = Σ_s dS·k[s]/√D,   dk[s] = Σ_t dS·q[t]/√D
    private static void AttendBackward<TSimd, TVector>(
        int keyHead, in BackwardData data, Part part, Workers workers)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        (Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, AttentionSizes sizes, Dropout dropout, Target dq, Target dk,
            Target dv) = data;
        (_, int T, int S, int H, int keyHeads, int D, int window) = sizes;
        int R = 2 * TSimd.Count, width = Ceiling.Multiple(D, R);
        int valueSize = sizes.ValueSize, valueWidth = Ceiling.Multiple(valueSize, R);
        float* queries = Scratch(
            workers, (D + valueSize) * R + 3 * S * R + R * (2 * width + valueWidth) + 2 * S * (width + valueWidth) + 2 * R
                + Ceiling.Multiple(S, R));
        float* outer = queries + D * R;                          // q and dy transposed: (D, R), (valueSize, R)
        float* weights = outer + valueSize * R, slopes = weights + S * R, kept = slopes + S * R;           // (S, R)
        float* queryRows = kept + S * R, outerRows = queryRows + R * width, sums = outerRows + R * valueWidth; // (R, each width)
        float* keys = sums + R * width, values = keys + S * width;                                 // (S, each width)
        float* keySums = values + S * valueWidth, valueSums = keySums + S * width;                 // (S, each width)
        float* delta = valueSums + S * valueWidth, log = delta + R; // (R)
        float* numbers = log + R;                                // (S)
        int first = part.FirstKey, count = Math.Min(part.EndKey, S - T + part.EndQuery) - first; // the keys that are met here
        if (!dk.IsNone)
            new Span<float>(keySums + first * width, (part.EndKey - first) * width).Clear();
        if (!dv.IsNone)
            new Span<float>(valueSums + first * valueWidth, (part.EndKey - first) * valueWidth).Clear();

        float scale = 1f / MathF.Sqrt(D);
        int group = H / keyHeads, firstHead = keyHead / keyHeads * H + keyHead % keyHeads * group;
        AttentionHead shared = new(sizes, firstHead);
        Pack(k.Pointer + shared.Key + first * shared.KeyRow, shared.KeyRow, count, D, width, keys + first * width);
        Pack(
            v.Pointer + shared.Value + first * shared.ValueRow, shared.ValueRow, count, valueSize, valueWidth, values + first * valueWidth);
        for (int index = firstHead + part.FirstHead; index < firstHead + part.EndHead; index++)
        {
            AttentionHead head = new(sizes, index);
            int row = head.QueryRow, outputRow = head.OutputRow;
            for (int t = part.FirstQuery; t < part.EndQuery; t += R)
            {
                QueryBlock block = new(sizes, t, R, first, part.EndKey);
                if (block.Keys <= 0)
                    continue;                                    // none of the keys here
                int at = head.Query + t * row, output = head.Output + t * outputRow;
                Pack(q.Pointer + at, row, block.Lanes, D, width, queryRows);
                Pack(dy.Pointer + output, outputRow, block.Lanes, valueSize, valueWidth, outerRows);
                Transpose(queryRows, width, block.Lanes, D, R, scale * Log2E, queries);
                Transpose(outerRows, valueWidth, block.Lanes, valueSize, R, 1f, outer);
                for (int lane = 0; lane < R; lane++)
                {
                    bool used = lane < block.Lanes;
                    delta[lane] = used
                        ? Dot<TSimd, TVector>(outerRows + lane * valueWidth, y.Pointer + output + lane * outputRow, valueSize)
                        : 0f;
                    log[lane] = used ? logSumExp.Pointer[index * T + t + lane] * Log2E : 0f;
                }

                Product<TSimd, TVector>(keys + block.Low * width, width, 1, queries, R, block.Keys, R, D, weights, R, adds: false);
                Product<TSimd, TVector>(
                    values + block.Low * valueWidth, valueWidth, 1, outer, R, block.Keys, R, valueSize, slopes, R, adds: false);
                HideKeys<TSimd, TVector>(block, window, weights);
                if (dropout.Rate > 0f)
                    DropoutFactors(head, block, dropout, R, kept, numbers);
                WeightsAndSlopes<TSimd, TVector>(weights, slopes, dropout.Rate > 0f ? kept : null, delta, log, block.Keys);

                if (!dv.IsNone)
                    AddToKeys<TSimd, TVector>(block, weights, outerRows, valueSums, valueWidth);
                if (!dk.IsNone)
                    AddToKeys<TSimd, TVector>(block, slopes, queryRows, keySums, width);
                if (!dq.IsNone)
                {
                    SumOverKeys<TSimd, TVector>(block, slopes, keys, sums, width);
                    for (int lane = 0; lane < block.Lanes; lane++)
                        PutRow<TSimd, TVector>(sums + lane * width, scale, D, dq.View.Pointer + at + lane * row, dq.Adds);
                }
            }
        }

        for (int s = first; s < part.EndKey; s++)
        {
            if (!dk.IsNone)
                PutRow<TSimd, TVector>(keySums + s * width, scale, D, dk.View.Pointer + shared.Key + s * shared.KeyRow, dk.Adds);
            if (!dv.IsNone)
                PutRow<TSimd, TVector>(
                    valueSums + s * valueWidth, 1f, valueSize, dv.View.Pointer + shared.Value + s * shared.ValueRow, dv.Adds);
        }
    }

    /// <summary>In place, per lane: scores become P·M, and products dy·v
    /// become P·(M·product − δ). No factors: M = 1. Both (keys, R).</summary>
    private static void WeightsAndSlopes<TSimd, TVector>(float* scores, float* products, float* factors, float* delta, float* log, int keys)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int R = 2 * TSimd.Count;
        for (int half = 0; half < R; half += TSimd.Count)
        {
            TVector shift = TSimd.Load(delta + half), logs = TSimd.Load(log + half);
            for (int i = half; i < keys * R; i += R)
            {
                TVector weight = SimdMath.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + i), logs)), kept = weight,
                    product = TSimd.Load(products + i);
                if (factors is not null)
                {
                    TVector factor = TSimd.Load(factors + i);
                    (kept, product) = (TSimd.Multiply(weight, factor), TSimd.Multiply(product, factor));
                }

                TSimd.Store(kept, scores + i);
                TSimd.Store(TSimd.Multiply(weight, TSimd.Subtract(product, shift)), products + i);
            }
        }
    }

    /// <summary>sums[s] += Σ over the lanes that see s of left[s, lane]·rows[lane].
    /// left (keys, R), rows (lanes, width), sums (S, width).</summary>
    private static void AddToKeys<TSimd, TVector>(QueryBlock block, float* left, float* rows, float* sums, int width)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int R = 2 * TSimd.Count, seenByAll = block.KeysOf(0);
        sums += block.Low * width;
        Product<TSimd, TVector>(left, R, 1, rows, width, seenByAll, width, block.Lanes, sums, width, adds: true);
        int strip = MicroKernel.RowsOf<TSimd, TVector>();
        for (int key = seenByAll; key < block.Keys; key += strip)
        {
            int lane = block.Low + key - block.Position; // the first that sees it
            Product<TSimd, TVector>(
                left + key * R + lane, R, 1, rows + lane * width, width, Math.Min(strip, block.Keys - key), width, block.Lanes - lane,
                sums + key * width, width, adds: true);
        }
    }

    /// <summary>sums[lane] = Σ_s left[s, lane]·rows[s]. left (keys, R), rows (S, width), sums (lanes, width).</summary>
    private static void SumOverKeys<TSimd, TVector>(QueryBlock block, float* left, float* rows, float* sums, int width)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int R = 2 * TSimd.Count, strip = MicroKernel.RowsOf<TSimd, TVector>();
        for (int lane = 0; lane < block.Lanes; lane += strip)
        {
            Product<TSimd, TVector>(
                left + lane, 1, R, rows + block.Low * width, width, Math.Min(strip, block.Lanes - lane), width,
                block.KeysOf(lane + strip - 1), sums + lane * width, width, adds: false);
        }
    }

    /// <summary>What a piece does: all that there is, or these query heads of those that share
    /// keys, these queries of each, these keys. Queries begin and end at blocks.</summary>
    private readonly struct Part(AttentionSizes sizes)
    {
        public int FirstHead { get; init; }

        public int EndHead { get; init; } = sizes.H / sizes.KvHeads;

        public int FirstQuery { get; init; }

        public int EndQuery { get; init; } = sizes.T;

        public int FirstKey { get; init; }

        public int EndKey { get; init; } = sizes.S;
    }

    private readonly record struct BackwardData(
        Floats Dy, Floats Q, Floats K, Floats V, Floats Y, Floats LogSumExp, AttentionSizes Sizes, Dropout Dropout,
        Target Dq, Target Dk, Target Dv);

    private readonly record struct BackwardWork(CpuBackend Backend, BackwardData Data) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>() => Backend.AttentionBackward<TSimd, TVector>(Data);
    }
}
