using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// The backward of attention: a block of queries after the other, and of the keys that a block sees so many at once that their weights and
/// slopes stay in the nearest cache. The weights come back from the scores and the saved log-sum-exp. dk and dv are summed over the queries
/// of one head; the sums of heads that share keys are added in the order of the heads. A piece is a key head with its query heads; where
/// there are too many threads for that, a query head, whose sums wait in memory of their own until a second loop adds them: the same bits.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    /// <summary>Queries of a block of the backward: what dk and dv add up before they are written. Whole strips, of six rows or eight.
    /// </summary>
    private const int QueriesAtOnceBackward = 48;

    /// <summary>Keys that a block of queries meets at once: whole panels of any width.</summary>
    private const int KeysAtOnce = 96;

    /// <summary>Key heads that each thread has at least, if a piece is one of them with all its query heads.</summary>
    private const int KeyHeadsPerThread = 4;

    /// <inheritdoc/>
    protected override void AttentionBackward(
        Floats dy, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles)
    {
        (int B, _, int S, int H, int keyHeads, int D, _) = sizes;
        BackwardData data = new(dy, q, k, v, y, logSumExp, sizes, dropout, dq, dk, dv, sizes, HeadsPerPiece: H / keyHeads);
        if (H == keyHeads || B * keyHeads >= KeyHeadsPerThread * workers.Threads)
        {
            Simd.Run(new BackwardWork(this, data), Simd.BitsOf(D, FewHeadValues));
        }
        else
        {
            int keyLength = dk.IsNone ? 0 : B * S * H * D, valueLength = dv.IsNone ? 0 : B * S * H * sizes.ValueSize;
            DeviceBuffer scratch = ScratchPool.Rent((long)(keyLength + valueLength) * sizeof(float), "gradients of shared keys and values");
            Floats sums = scratch.As<float>(keyLength + valueLength);
            Floats keySums = sums.Slice(0, keyLength), valueSums = sums.Slice(keyLength, valueLength);
            data = data with { Dk = keySums.IsNone ? Target.None : keySums, Dv = valueSums.IsNone ? Target.None : valueSums };
            data = data with { SumSizes = sizes with { KvHeads = H }, HeadsPerPiece = 1 };
            Simd.Run(new BackwardWork(this, data), Simd.BitsOf(D, FewHeadValues));
            AddHeads(keySums, B * S * keyHeads, H / keyHeads, D, dk);
            AddHeads(valueSums, B * S * keyHeads, H / keyHeads, sizes.ValueSize, dv);
            ScratchPool.Return(scratch);
        }

        TurnBack(dq, dk, sizes, angles);
    }

    private void AttentionBackward<TSimd, TVector>(BackwardData data)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct =>
        workers.For(data.Sizes.B * data.Sizes.H / data.HeadsPerPiece, (data, workers), static (piece, in s) =>
        {
            HeadScratch scratch = new(s.data.Sizes, 2 * TSimd.Count, s.workers);
            for (int head = 0; head < s.data.HeadsPerPiece; head++)
                AttendBackward<TSimd, TVector>(piece * s.data.HeadsPerPiece + head, isFirst: head == 0, s.data, scratch);
        });

    /// <summary>y[r] = or += the x[r, head] of the heads that share r, one after the other. x (N, heads, D), y (N, D).</summary>
    private void AddHeads(Floats x, int N, int heads, int D, Target y)
    {
        if (!y.IsNone)
            ForRows(N, heads * D, new AddHeadsLoop(x, heads, D, y), run: D);
    }

    // With P the weights, M the factors of dropout, and δ[t] = dy[t]·y[t]:
    // dv[s] = Σ_t P·M·dy[t],   dS = P·(M·(dy[t]·v[s]) − δ[t]),   dq[t] = Σ_s dS·k[s]/√D,   dk[s] = Σ_t dS·q[t]/√D
    private static void AttendBackward<TSimd, TVector>(int index, bool isFirst, in BackwardData data, in HeadScratch at)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        AttentionSizes sizes = data.Sizes;
        (_, int T, int S, _, _, int D, _) = sizes;
        AttentionHead head = new(sizes, index), sums = new(data.SumSizes, index);
        int width = at.Width, valueSize = sizes.ValueSize, valueWidth = at.ValueWidth;
        if (isFirst) // of those that share keys and values
        {
            Turn(data.K.Pointer + head.Key, head.KeyRow, S, D, 2 * TSimd.Count, at.TurnedKeys);
            Turn(data.V.Pointer + head.Value, head.ValueRow, S, valueSize, 2 * TSimd.Count, at.TurnedValues);
            CopyRows<TSimd, TVector>(data.K.Pointer + head.Key, head.KeyRow, S, D, width, at.Keys);
        }

        new Span<float>(at.KeySums, S * width).Clear();
        new Span<float>(at.ValueSums, S * valueWidth).Clear();

        float scale = 1f / MathF.Sqrt(D);
        for (int t = 0; t < T; t += QueriesAtOnceBackward)
        {
            QueryBlock block = new(sizes, 0, t, Math.Min(QueriesAtOnceBackward, T - t));
            float* q = data.Q.Pointer + head.Query + t * head.QueryRow;
            float* dy = data.Dy.Pointer + head.Output + t * head.OutputRow, y = data.Y.Pointer + head.Output + t * head.OutputRow;
            CopyRows<TSimd, TVector>(q, head.QueryRow, block.Rows, D, width, at.Queries);
            CopyRows<TSimd, TVector>(dy, head.OutputRow, block.Rows, valueSize, valueWidth, at.Outer);
            for (int i = 0; i < block.Rows; i++)
            {
                at.Delta[i] = Dot<TSimd, TVector>(at.Outer + i * valueWidth, y + i * head.OutputRow, valueSize);
                at.Log[i] = data.LogSumExp.Pointer[index * T + t + i] * Log2E;
            }

            int low = block.Low(0) / (2 * TSimd.Count) * (2 * TSimd.Count), high = block.High(block.Rows - 1);
            for (int from = low; from < high; from += KeysAtOnce)
                MeetKeysBackward<TSimd, TVector>(head, block, t, from, Math.Min(high, from + KeysAtOnce), from > low, data, at);
            if (data.Dq.IsNone)
                continue;
            PutRows<TSimd, TVector>(
                at.QuerySums, width, block.Rows, D, &scale, 0, data.Dq.View.Pointer + head.Query + t * head.QueryRow, head.QueryRow,
                data.Dq.Adds);
        }

        float one = 1f;
        if (!data.Dk.IsNone)
            PutRows<TSimd, TVector>(
                at.KeySums, width, S, D, &scale, 0, data.Dk.View.Pointer + sums.Key, sums.KeyRow, data.Dk.Adds || !isFirst);
        if (!data.Dv.IsNone)
            PutRows<TSimd, TVector>(
                at.ValueSums, valueWidth, S, valueSize, &one, 0, data.Dv.View.Pointer + sums.Value, sums.ValueRow,
                data.Dv.Adds || !isFirst);
    }

    /// <summary>A block of queries and the keys <paramref name="from"/> to before <paramref name="to"/>: what they add to sums.</summary>
    private static void MeetKeysBackward<TSimd, TVector>(
        in AttentionHead head, in QueryBlock block, int firstQuery, int from, int to, bool adds, in BackwardData data, in HeadScratch at)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int D = data.Sizes.D, width = at.Width, valueWidth = at.ValueWidth, row = at.Row;
        float scale = Log2E / MathF.Sqrt(D);
        Philox random = StreamOf(data.Dropout.Key);
        MeetKeys<TSimd, TVector>(block, at.Queries, width, at.TurnedKeys, D, from, to, at.Weights, row);
        MeetKeys<TSimd, TVector>(block, at.Outer, valueWidth, at.TurnedValues, data.Sizes.ValueSize, from, to, at.Slopes, row);
        for (int i = 0; i < block.Rows; i++)
        {
            SeenKeys seen = block.Seen(i, from, to, TSimd.Count);
            if (data.Dropout.Rate > 0f)
            {
                DrawNumbers(head, data.Dropout, random, firstQuery + i, from, seen, at.Numbers);
                Drop<TSimd, TVector>(at.Slopes + i * row, seen, at.Numbers, data.Dropout.Rate);
            }

            WeightsAndSlopes<TSimd, TVector>(at.Weights + i * row, at.Slopes + i * row, seen, scale, at.Log[i], at.Delta[i]);
            if (data.Dropout.Rate > 0f)
                Drop<TSimd, TVector>(at.Weights + i * row, seen, at.Numbers, data.Dropout.Rate);
        }

        if (!data.Dv.IsNone)
            AddToKeys<TSimd, TVector>(block, at.Weights, row, at.Outer, valueWidth, from, to, at.ValueSums);
        if (!data.Dk.IsNone)
            AddToKeys<TSimd, TVector>(block, at.Slopes, row, at.Queries, width, from, to, at.KeySums);
        if (!data.Dq.IsNone)
            SumOverKeys<TSimd, TVector>(block, at.Slopes, row, at.Keys, width, from, to, at.QuerySums, adds);
    }

    /// <summary>In place, of one query: scores become P, products M·(dy·v) become P·(product − δ).</summary>
    private static void WeightsAndSlopes<TSimd, TVector>(
        float* scores, float* products, SeenKeys seen, float scale, float log, float delta)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        Hide<TSimd, TVector>(scores, seen);
        TVector factor = TSimd.Broadcast(scale), logs = TSimd.Broadcast(-log), shift = TSimd.Broadcast(delta);
        for (int s = seen.Begin; s < seen.End; s += TSimd.Count)
        {
            TVector weight = SimdMath.Exp2<TSimd, TVector>(TSimd.MultiplyAdd(TSimd.Load(scores + s), factor, logs));
            TSimd.Store(weight, scores + s);
            TSimd.Store(TSimd.Multiply(weight, TSimd.Subtract(TSimd.Load(products + s), shift)), products + s);
        }

        ClearBeside<TSimd, TVector>(scores, seen);
        ClearBeside<TSimd, TVector>(products, seen);
    }

    /// <summary>What a thread keeps for the head that it works on; queries are of one block, columns <see cref="KeysAtOnce"/>.</summary>
    private readonly struct HeadScratch
    {
        public readonly int Width, ValueWidth, Row;
        public readonly float* TurnedKeys, TurnedValues;         // panels of (D, R), (valueSize, R)
        public readonly float* Keys, KeySums, ValueSums;         // (S, each width)
        public readonly float* Queries, QuerySums, Outer;        // (queries, each width)
        public readonly float* Weights, Slopes;                  // (queries, columns)
        public readonly float* Delta, Log, Numbers;              // (queries), (queries), (columns)

        public HeadScratch(in AttentionSizes sizes, int R, Workers workers)
        {
            (_, _, int S, _, _, int D, _) = sizes;
            (Width, ValueWidth, Row) = (Ceiling.Multiple(D, R), Ceiling.Multiple(sizes.ValueSize, R), RowOf(KeysAtOnce));
            int panels = Ceiling.Multiple(S, R), queries = QueriesAtOnceBackward;
            TurnedKeys = Scratch(
                workers, panels * (D + sizes.ValueSize) + S * (2 * Width + ValueWidth) + queries * (2 * Width + ValueWidth + 2 * Row + 2)
                    + Row);
            TurnedValues = TurnedKeys + panels * D;
            Keys = TurnedValues + panels * sizes.ValueSize;
            KeySums = Keys + S * Width;
            ValueSums = KeySums + S * Width;
            Queries = ValueSums + S * ValueWidth;
            QuerySums = Queries + queries * Width;
            Outer = QuerySums + queries * Width;
            Weights = Outer + queries * ValueWidth;
            Slopes = Weights + queries * Row;
            Delta = Slopes + queries * Row;
            Log = Delta + queries;
            Numbers = Log + queries;
        }
    }

    private readonly record struct AddHeadsLoop(Floats X, int Heads, int D, Target Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            for (int r = start; r < end; r++)
            {
                float* x = X.Pointer + (long)r * Heads * D, y = Y.View.Pointer + r * D;
                for (int d = 0; d < D; d += TSimd.Count)
                {
                    TVector sum = TSimd.Load(x + d, D - d);
                    if (Y.Adds)
                        sum = TSimd.Add(TSimd.Load(y + d, D - d), sum);
                    for (int head = 1; head < Heads; head++)
                        sum = TSimd.Add(sum, TSimd.Load(x + head * D + d, D - d));
                    TSimd.Store(sum, y + d, D - d);
                }
            }
        }
    }

    // SumSizes: how dk and dv lie, as k and v, or with a head for each query head.
    private readonly record struct BackwardData(
        Floats Dy, Floats Q, Floats K, Floats V, Floats Y, Floats LogSumExp, AttentionSizes Sizes, Dropout Dropout,
        Target Dq, Target Dk, Target Dv, AttentionSizes SumSizes, int HeadsPerPiece);

    private readonly record struct BackwardWork(CpuBackend Backend, BackwardData Data) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>() => Backend.AttentionBackward<TSimd, TVector>(Data);
    }
}
