using System.Runtime.CompilerServices;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Attention without a T×S matrix in memory: a block of queries meets all the keys that it sees. Its scores, a row per query and a
/// column per key, stay in the thread's scratch. Keys are turned once per head, into panels of the micro-kernel, and every product of the
/// family is one register-blocked routine, <see cref="Product"/>; a softmax, and dropout with it, goes along a row. What a query does not
/// see costs nothing but the ends of vectors and tiles. Scores are in powers of two there: 2^(score·log₂(e)/√D − largest).
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    private const float Log2E = 1.44269504f;
    private const float Ln2 = 0.693147181f;

    /// <summary>Values of a head that are too few for two vectors of 512 bits.</summary>
    private const int FewHeadValues = 16;

    /// <summary>Queries that a block of the forward has: whole strips of the micro-kernel, of six rows or eight.</summary>
    private const int QueriesAtOnce = 24;

    /// <summary>Queries of one head that a piece of the forward takes: whole blocks.</summary>
    private const int QueriesPerPiece = 16 * QueriesAtOnce;

    /// <summary>Random numbers that are drawn together: four blocks.</summary>
    private const int NumbersAtOnce = 16;

    /// <inheritdoc/>
    protected override void AttentionForward(
        Floats q, Floats k, Floats v, in AttentionSizes sizes, in Dropout dropout, Floats y, Floats logSumExp)
    {
        Simd.Run(new ForwardWork(this, q, k, v, sizes, dropout, y, logSumExp), Simd.BitsOf(sizes.D, FewHeadValues));
    }

    private void AttentionForward<TSimd, TVector>(
        Floats q, Floats k, Floats v, AttentionSizes sizes, Dropout dropout, Floats y, Floats logSumExp)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        (int B, int T, int S, int H, _, int D, _) = sizes;
        if (T == 1 && IsOfWholeVectors<TSimd, TVector>(sizes) && dropout.Rate == 0f)
        {
            ForRows(B * H, S * D, (q, k, v, sizes, y, logSumExp, workers), static (start, end, in s) =>
            {
                for (int head = start; head < end; head++)
                    AttendOne<TSimd, TVector>(new AttentionHead(s.sizes, head), s.q, s.k, s.v, s.y, s.logSumExp, s.workers);
            });
            return;
        }

        int queries = QueriesOf(B * H, T);
        workers.For(B * H * Ceiling.Divide(T, queries), (q, k, v, sizes, dropout, y, logSumExp, queries, workers), static (piece, in s) =>
        {
            // The last queries of all heads come first: they see the most keys, and
            // what takes long must not begin when the others are about to end.
            var (fromLast, head) = Math.DivRem(piece, s.sizes.B * s.sizes.H);
            int first = (Ceiling.Divide(s.sizes.T, s.queries) - 1 - fromLast) * s.queries;
            Attend<TSimd, TVector>(
                new AttentionHead(s.sizes, head), first, Math.Min(s.sizes.T, first + s.queries), s.q, s.k, s.v, s.dropout,
                s.y, s.logSumExp, s.workers);
        });
    }

    /// <summary>Whether the heads are of a size for the loop of one query.</summary>
    private static bool IsOfWholeVectors<TSimd, TVector>(in AttentionSizes sizes)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => sizes.D % (2 * TSimd.Count) == 0 && sizes.ValueSize % (2 * TSimd.Count) == 0;

    /// <summary>Queries of a piece: fewer where there are more threads than pieces. No sum is over queries, so it cuts none.</summary>
    private int QueriesOf(int heads, int T)
    {
        int queries = QueriesPerPiece;
        while (queries > QueriesAtOnce && heads * Ceiling.Divide(T, queries) < 3 * workers.Threads)
            queries = Ceiling.Multiple(queries / 2, QueriesAtOnce);
        return queries;
    }

    /// <summary>Queries <paramref name="first"/> to before <paramref name="end"/> of one head, a block at a time.</summary>
    private static void Attend<TSimd, TVector>(
        in AttentionHead head, int first, int end, Floats q, Floats k, Floats v, in Dropout dropout, Floats y, Floats logSumExp,
        Workers workers)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        (_, int T, int S, _, _, int D, int window) = head.Sizes;
        int R = 2 * TSimd.Count, valueSize = head.Sizes.ValueSize, valueWidth = Ceiling.Multiple(valueSize, R);
        int firstKey = window > 0 ? Math.Max(0, S - T + first + 1 - window) / R * R : 0, keys = S - T + end - firstKey;
        int panels = Ceiling.Multiple(keys, R), row = RowOf(window > 0 ? Math.Min(keys, window + QueriesAtOnce + R) : keys);
        float* turned = Scratch(
            workers, panels * D + keys * valueWidth + QueriesAtOnce * (row + valueWidth) + 2 * RowOf(QueriesAtOnce) + RowOf(keys));
        float* values = turned + panels * D, scores = values + keys * valueWidth; // panels of (D, R), (keys, valueWidth), (queries, row)
        float* sums = scores + QueriesAtOnce * row;              // (queries, valueWidth)
        float* totals = sums + QueriesAtOnce * valueWidth, largest = totals + RowOf(QueriesAtOnce); // (queries)
        float* numbers = largest + RowOf(QueriesAtOnce);         // (keys)

        Turn(k.Pointer + head.Key + firstKey * head.KeyRow, head.KeyRow, keys, D, R, turned);
        CopyRows<TSimd, TVector>(v.Pointer + head.Value + firstKey * head.ValueRow, head.ValueRow, keys, valueSize, valueWidth, values);
        Philox random = StreamOf(dropout.Key);
        for (int t = first; t < end; t += QueriesAtOnce)
        {
            QueryBlock block = new(head.Sizes, firstKey, t, Math.Min(QueriesAtOnce, end - t));
            int from = block.Low(0) / R * R, to = block.High(block.Rows - 1);
            MeetKeys<TSimd, TVector>(block, q.Pointer + head.Query + t * head.QueryRow, head.QueryRow, turned, D, from, to, scores, row);
            SoftmaxOfRows<TSimd, TVector>(block, from, to, scores, row, Log2E / MathF.Sqrt(D), largest, totals);
            for (int i = 0; i < block.Rows && dropout.Rate > 0f; i++)
            {
                SeenKeys seen = block.Seen(i, from, to, TSimd.Count);
                DrawNumbers(head, dropout, random, t + i, firstKey + from, seen, numbers);
                Drop<TSimd, TVector>(scores + i * row, seen, numbers, dropout.Rate);
            }

            SumOverKeys<TSimd, TVector>(block, scores, row, values, valueWidth, from, to, sums, adds: false);
            float* log = logSumExp.Pointer + head.Index * T + t;
            for (int i = 0; i < block.Rows; i += TSimd.Count)
            {
                TVector total = TSimd.Load(totals + i), sum = TSimd.Add(TSimd.Load(largest + i), TSimd.Log2(total));
                TSimd.Store(TSimd.Multiply(sum, TSimd.Broadcast(Ln2)), log + i, block.Rows - i);
                TSimd.Store(TSimd.Divide(TSimd.Broadcast(1f), total), totals + i);
            }

            PutRows<TSimd, TVector>(
                sums, valueWidth, block.Rows, valueSize, totals, 1, y.Pointer + head.Output + t * head.OutputRow, head.OutputRow,
                adds: false);
        }
    }

    /// <summary>The scores of each query, times <paramref name="scale"/>, become 2^(score − largest); the largest and their sum.</summary>
    private static void SoftmaxOfRows<TSimd, TVector>(
        in QueryBlock block, int from, int to, float* scores, int row, float scale, float* largest, float* totals)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // Twice along the keys: the largest score first, then 2^(score − largest), which cannot overflow. All queries
        // take the first step before the second: what one waits for at the end of its row, the next does not.
        for (int i = 0; i < block.Rows; i++)
        {
            SeenKeys seen = block.Seen(i, from, to, TSimd.Count);
            Hide<TSimd, TVector>(scores + i * row, seen);
            ClearBeside<TSimd, TVector>(scores + i * row, seen);
            largest[i] = scale * LargestOfWhole<TSimd, TVector>(scores + i * row + seen.Begin, seen.End - seen.Begin);
        }

        TVector factor = TSimd.Broadcast(scale);
        for (int i = 0; i < block.Rows; i++)
        {
            SeenKeys seen = block.Seen(i, from, to, TSimd.Count);
            TVector shift = TSimd.Broadcast(-largest[i]), sum = TSimd.Broadcast(0f);
            float* score = scores + i * row + seen.Begin, end = scores + i * row + seen.End;
            for (; score < end; score += TSimd.Count)
            {
                TVector weight = SimdMath.Exp2<TSimd, TVector>(TSimd.MultiplyAdd(TSimd.Load(score), factor, shift));
                sum = TSimd.Add(sum, weight);
                TSimd.Store(weight, score);
            }

            totals[i] = TSimd.Sum(sum);
        }
    }

    /// <summary>The largest of whole vectors: in two runs, of which neither waits for the other.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float LargestOfWhole<TSimd, TVector>(float* x, int n)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int count = TSimd.Count, i = count;
        TVector largest = TSimd.Load(x), other = largest;
        for (; i <= n - 2 * count; i += 2 * count)
        {
            largest = TSimd.Max(largest, TSimd.Load(x + i));
            other = TSimd.Max(other, TSimd.Load(x + i + count));
        }

        if (i < n)
            largest = TSimd.Max(largest, TSimd.Load(x + i));
        return TSimd.MaxLane(TSimd.Max(largest, other));
    }

    /// <summary>Dropout's numbers of one query and the keys that it sees, and some more: whole batches. Column 0 of what is seen is key
    /// <paramref name="from"/>.</summary>
    private static void DrawNumbers(
        in AttentionHead head, in Dropout dropout, in Philox random, int query, int from, SeenKeys seen, float* numbers)
    {
        (int B, int T, int S, int H, _, _, _) = head.Sizes;
        long row = (long)dropout.Key.Part * B * H * T + (long)head.Index * T + query;
        Uniforms(random, row * S + from + seen.Begin, Ceiling.Multiple(seen.High - seen.Begin, NumbersAtOnce), numbers);
    }

    /// <summary>Values of one query become value·(0 or 1/(1 − rate)), as the number of their key says.</summary>
    private static void Drop<TSimd, TVector>(float* values, SeenKeys seen, float* numbers, float rate)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector least = TSimd.Broadcast(rate), keep = TSimd.Broadcast(1f / (1f - rate)), none = TSimd.Broadcast(0f);
        for (int s = seen.Begin; s < seen.End; s += TSimd.Count)
        {
            TVector kept = TSimd.WhereLess(TSimd.Load(numbers + s - seen.Begin), least, none, TSimd.Multiply(TSimd.Load(values + s), keep));
            TSimd.Store(kept, values + s);
        }
    }

    private readonly record struct ForwardWork(
        CpuBackend Backend, Floats Q, Floats K, Floats V, AttentionSizes Sizes, Dropout Dropout, Floats Y, Floats LogSumExp) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>() => Backend.AttentionForward<TSimd, TVector>(Q, K, V, Sizes, Dropout, Y, LogSumExp);
    }
}
