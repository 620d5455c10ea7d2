using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// The backward of attention. A piece is one key and value head of one sequence: it alone sums dk and
/// dv there, over its query heads and their blocks in order. Per block the weights come back from the
/// scores and the saved log-sum-exp; weights and slopes are (keys, lanes) as in the forward.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    protected override void AttentionBackward(
        Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles)
    {
        Simd.Run(
            new BackwardWork(this, dy, q, k, v, y, logSumExp, sizes, dropout, dq, dk, dv), Simd.BitsOf(sizes.D, FewHeadValues));
        TurnBack(dq, dk, sizes, angles);
    }

    private void AttentionBackward<TSimd, TVector>(
        Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, AttentionSizes sizes, Dropout dropout, Target dq, Target dk,
        Target dv)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        workers.For(sizes.B * sizes.KvHeads, (dy, q, k, v, y, logSumExp, sizes, dropout, dq, dk, dv, workers), static (piece, in s) =>
            AttendBackward<TSimd, TVector>(piece, s.dy, s.q, s.k, s.v, s.y, s.logSumExp, s.sizes, s.dropout, s.dq, s.dk, s.dv, s.workers));
    }

    // With P the weights, M the factors of dropout, and δ[t] = dy[t]·y[t]:
    // dv[s] = Σ_t P·M·dy[t],   dS = P·(M·(dy[t]·v[s]) − δ[t]),   dq[t] = Σ_s dS·k[s]/√D,   dk[s] = Σ_t dS·q[t]/√D
    private static void AttendBackward<TSimd, TVector>(
        int keyHead, Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, AttentionSizes sizes, in Dropout dropout,
        Target dq, Target dk, Target dv, Workers workers)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
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
        new Span<float>(keySums, S * (width + valueWidth)).Clear();

        float scale = 1f / MathF.Sqrt(D);
        int group = H / keyHeads, firstHead = keyHead / keyHeads * H + keyHead % keyHeads * group;
        AttentionHead shared = new(sizes, firstHead);
        Pack(k.Pointer + shared.Key, shared.KeyRow, S, D, width, keys);
        Pack(v.Pointer + shared.Value, shared.ValueRow, S, valueSize, valueWidth, values);
        for (int index = firstHead; index < firstHead + group; index++)
        {
            AttentionHead head = new(sizes, index);
            int row = head.QueryRow, outputRow = head.OutputRow;
            for (int t = 0; t < T; t += R)
            {
                QueryBlock block = new(sizes, t, R);
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

        for (int s = 0; s < S; s++)
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
            int lane = key - seenByAll + 1; // the first that sees it
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

    private readonly record struct BackwardWork(
        CpuBackend Backend, Floats Dy, Floats Q, Floats K, Floats V, Floats Y, Floats LogSumExp, AttentionSizes Sizes, Dropout Dropout,
        Target Dq, Target Dk, Target Dv) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>() =>
            Backend.AttentionBackward<TSimd, TVector>(Dy, Q, K, V, Y, LogSumExp, Sizes, Dropout, Dq, Dk, Dv);
    }
}
