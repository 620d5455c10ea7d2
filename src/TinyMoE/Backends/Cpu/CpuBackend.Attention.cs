using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Attention without a T×S matrix in memory: a block of queries, two vectors wide, one query per lane, meets all the keys
/// it sees. Its scores (keys, lanes) stay in the thread's scratch; as queries are lanes, the softmax over keys is plain
/// vertical vector work, and keys need no transposing: they are only copied beside each other. Every product of the
/// family is one register-blocked routine, <see cref="Product"/>. Scores are in powers of two: q is scaled by log₂(e)/√D.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    private const float Log2E = 1.44269504f;
    private const float Ln2 = 0.693147181f;

    /// <summary>Values of a head that are too few for two vectors of 512 bits.</summary>
    private const int FewHeadValues = 16;

    /// <summary>Queries of one head that a piece of the forward takes: a whole number of blocks of either vector width.</summary>
    private const int QueriesPerPiece = 128;

    /// <summary>Queries, or keys, that a piece has at least: a block of the widest vectors.</summary>
    private const int FewestPerPiece = 32;

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
        if (T == 1 && D % (2 * TSimd.Count) == 0 && sizes.ValueSize % (2 * TSimd.Count) == 0 && dropout.Rate == 0f)
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
            var (head, first) = LastFirst(piece, s.sizes, s.queries);
            Attend<TSimd, TVector>(
                new AttentionHead(s.sizes, head), first, Math.Min(s.sizes.T, first + s.queries), s.q, s.k, s.v, s.dropout,
                s.y, s.logSumExp, s.workers);
        });
    }

    /// <summary>Queries of a piece: fewer where there are more threads than pieces. No sum is over queries, so it cuts none.</summary>
    private int QueriesOf(int heads, int T)
    {
        int queries = QueriesPerPiece;
        while (queries > FewestPerPiece && heads * Ceiling.Divide(T, queries) < 2 * workers.Threads)
            queries /= 2;
        return queries;
    }

    /// <summary>The head and the first query of a piece: the last queries of all heads come first. They
    /// see the most keys, and what takes long must not begin when the others are about to end.</summary>
    private static (int Head, int First) LastFirst(int piece, in AttentionSizes sizes, int queries)
    {
        var (fromLast, head) = Math.DivRem(piece, sizes.B * sizes.H);
        return (head, (Ceiling.Divide(sizes.T, queries) - 1 - fromLast) * queries);
    }

    /// <summary>Queries <paramref name="first"/> to before <paramref name="end"/> of one head, a block at a time.</summary>
    private static void Attend<TSimd, TVector>(
        AttentionHead head, int first, int end, Floats q, Floats k, Floats v, in Dropout dropout, Floats y, Floats logSumExp,
        Workers workers)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        (_, int T, int S, _, _, int D, int window) = head.Sizes;
        int R = 2 * TSimd.Count, width = Ceiling.Multiple(D, R);
        int valueSize = head.Sizes.ValueSize, valueWidth = Ceiling.Multiple(valueSize, R);
        float* queries = Scratch(
            workers, D * R + 2 * S * R + R * valueWidth + S * width + S * valueWidth + 2 * R + Ceiling.Multiple(S, R));
        float* scores = queries + D * R;                         // queries (D, R), scores (S, R)
        float* kept = scores + S * R;                            // (S, R), the factors of dropout
        float* sums = kept + S * R;                              // (R, valueWidth)
        float* keys = sums + R * valueWidth, values = keys + S * width; // (S, width), (S, valueWidth)
        float* inverse = values + S * valueWidth, log = inverse + R; // (R)
        float* numbers = log + R;                                // (S)

        // Keys and values of the head are copied once for all blocks of queries
        // here: then rows of D lie side by side, wherever the heads were.
        Pack(k.Pointer + head.Key, head.KeyRow, S - T + end, D, width, keys);
        Pack(v.Pointer + head.Value, head.ValueRow, S - T + end, valueSize, valueWidth, values);
        for (int t = first; t < end; t += R)
        {
            // Queries are turned so that each is a lane: then scores = keys·queries is a product of the micro-kernel's kind, and everything
            // that is done per query (hide, largest, exponential, sum) is the same instruction for R queries at once.
            QueryBlock block = new(head.Sizes, t, R);
            Transpose(q.Pointer + head.Query + t * head.QueryRow, head.QueryRow, block.Lanes, D, R, Log2E / MathF.Sqrt(D), queries);
            Product<TSimd, TVector>(keys + block.Low * width, width, 1, queries, R, block.Keys, R, D, scores, R, adds: false);
            HideKeys<TSimd, TVector>(block, window, scores);
            SoftmaxOfLanes<TSimd, TVector>(scores, block.Keys, inverse, log);
            if (dropout.Rate > 0f)
            {
                DropoutFactors(head, block, dropout, R, kept, numbers);
                for (int i = 0; i < block.Keys * R; i += TSimd.Count)
                    TSimd.Store(TSimd.Multiply(TSimd.Load(scores + i), TSimd.Load(kept + i)), scores + i);
            }

            SumOverKeys<TSimd, TVector>(block, scores, values, sums, valueWidth);
            for (int lane = 0; lane < block.Lanes; lane++)
                PutRow<TSimd, TVector>(
                    sums + lane * valueWidth, inverse[lane], valueSize, y.Pointer + head.Output + (t + lane) * head.OutputRow, adds: false);
            new Span<float>(log, block.Lanes).CopyTo(logSumExp.Slice(head.Index * T + t, block.Lanes).Span);
        }
    }

    /// <summary>One query of one head, as in generation: dot products with the
    /// keys, a softmax along them, a weighted sum of the values.</summary>
    private static void AttendOne<TSimd, TVector>(
        AttentionHead head, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, Workers workers)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        (_, _, int S, _, _, int D, int window) = head.Sizes;
        int low = window > 0 ? Math.Max(0, S - window) : 0, keys = S - low, padded = Ceiling.Multiple(keys, TSimd.Count);
        float* scores = Scratch(workers, padded);
        float* query = q.Pointer + head.Query, key = k.Pointer + head.Key + low * head.KeyRow;
        for (int s = 0; s < keys; s++, key += head.KeyRow)
            scores[s] = Dot<TSimd, TVector>(query, key, D) * (Log2E / MathF.Sqrt(D));

        // With one query there is nothing to lay across the lanes but the keys themselves. The
        // last vector is filled up with −∞: its weights are exactly 0, so no loop needs a tail.
        new Span<float>(scores + keys, padded - keys).Fill(float.NegativeInfinity);
        TVector largest = TSimd.Load(scores), sum = TSimd.Broadcast(0f);
        for (int s = TSimd.Count; s < padded; s += TSimd.Count)
            largest = TSimd.Max(largest, TSimd.Load(scores + s));
        float max = TSimd.MaxLane(largest);
        for (int s = 0; s < padded; s += TSimd.Count)
        {
            TVector weight = SimdMath.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(scores + s), TSimd.Broadcast(max)));
            sum = TSimd.Add(sum, weight);
            TSimd.Store(weight, scores + s);
        }

        float total = TSimd.Sum(sum);
        float* output = y.Pointer + head.Output, values = v.Pointer + head.Value + low * head.ValueRow;
        int valueSize = head.Sizes.ValueSize;
        Product<TSimd, TVector>(scores, 0, 1, values, head.ValueRow, 1, valueSize, keys, output, valueSize, adds: false);
        PutRow<TSimd, TVector>(output, 1f / total, valueSize, output, adds: false);
        logSumExp.Span[head.Index] = (max + MathF.Log2(total)) * Ln2;
    }

    /// <summary>scores (keys, R) become 2^(score − largest of the lane); the
    /// inverse of their sum and the lane's log-sum-exp come out.</summary>
    private static void SoftmaxOfLanes<TSimd, TVector>(float* scores, int keys, float* inverse, float* log)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int R = 2 * TSimd.Count;
        for (int half = 0; half < R; half += TSimd.Count)
        {
            // Down the keys, twice: the largest score of each lane first, then 2^(score − largest), which
            // cannot overflow. No lane ever meets another: the sums need no reduction across a vector.
            float* end = scores + half + keys * R;
            TVector largest = TSimd.Load(scores + half), sum = TSimd.Broadcast(0f);
            for (float* score = scores + half; score < end; score += R)
                largest = TSimd.Max(largest, TSimd.Load(score));
            for (float* score = scores + half; score < end; score += R)
            {
                TVector weight = SimdMath.Exp2<TSimd, TVector>(TSimd.Subtract(TSimd.Load(score), largest));
                sum = TSimd.Add(sum, weight);
                TSimd.Store(weight, score);
            }

            TSimd.Store(TSimd.Divide(TSimd.Broadcast(1f), sum), inverse + half);
            TSimd.Store(TSimd.Multiply(TSimd.Add(largest, TSimd.Log2(sum)), TSimd.Broadcast(Ln2)), log + half);
        }
    }

    /// <summary>Scores of −∞ for the keys that a lane does not see: those after its position, those before its window.</summary>
    private static void HideKeys<TSimd, TVector>(QueryBlock block, int window, float* scores)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int R = 2 * TSimd.Count;
        for (int s = block.Low; s < block.High; s++)
        {
            // Lanes are neighbours in time, so only the first keys of a window and the last keys before the diagonal differ between them.
            if (s >= block.LowOfLast && s <= block.Position)
                continue; // every lane sees it
            for (int half = 0; half < R; half += TSimd.Count)
            {
                // Lane l, at Position + l, sees s when s − Position ≤ l < s − Position + window.
                float* score = scores + (s - block.Low) * R + half;
                TVector lane = TSimd.Add(TSimd.Indices, TSimd.Broadcast(half)), value = TSimd.Load(score),
                    none = TSimd.Broadcast(float.NegativeInfinity);
                value = TSimd.WhereLess(lane, TSimd.Broadcast(s - block.Position), none, value);
                if (window > 0)
                    value = TSimd.WhereLess(lane, TSimd.Broadcast(s - block.Position + window), value, none);
                TSimd.Store(value, score);
            }
        }
    }

    /// <summary>The factors of dropout, 0 or 1/(1 − rate), for the keys (rows) that
    /// each query (lane) sees; 0 elsewhere. factors (keys, R), numbers (S).</summary>
    private static void DropoutFactors(AttentionHead head, QueryBlock block, in Dropout dropout, int R, float* factors, float* numbers)
    {
        (int B, int T, int S, int H, _, _, _) = head.Sizes;
        Philox random = StreamOf(dropout.Key);
        float rate = dropout.Rate, keep = 1f / (1f - rate);
        new Span<float>(factors, block.Keys * R).Clear();
        for (int lane = 0; lane < block.Lanes; lane++)
        {
            int keys = block.KeysOf(lane);
            Uniforms(random, (long)dropout.Key.Part * B * H * T * S + ((long)head.Index * T + block.Start + lane) * S + block.Low, keys,
                numbers);
            for (int key = 0; key < keys; key++)
                factors[key * R + lane] = numbers[key] >= rate ? keep : 0f;
        }
    }

    /// <summary>
    /// c[m, n] = Σ_k a[m·aRow + k·aInner]·b[k·bRow + n], or += : n runs over whole pairs of vectors.
    /// Strips of rows go to the micro-kernel of matrix products, what is left by fours and ones.
    /// </summary>
    private static void Product<TSimd, TVector>(
        float* a, int aRow, int aInner, float* b, int bRow, int rows, int columns, int inner, float* c, int cRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int count = TSimd.Count, strip = MicroKernel.RowsOf<TSimd, TVector>();
        for (int n = 0; n < columns; n += 2 * count)
        {
            int m = 0;
            for (; m <= rows - strip; m += strip)
                MicroKernel.MultiplyTwo<TSimd, TVector>(inner, a + m * aRow, aRow, aInner, b + n, bRow, c + m * cRow + n, cRow, adds);
            for (; m <= rows - 4; m += 4)
            {
                float* a0 = a + m * aRow, a1 = a0 + aRow, a2 = a1 + aRow, a3 = a2 + aRow, right = b + n, end = right + inner * bRow;
                TVector c00 = TSimd.Broadcast(0f), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
                for (nint k = 0; right < end; right += bRow, k += aInner)
                {
                    TVector b0 = TSimd.Load(right), b1 = TSimd.Load(right + count), each = TSimd.Broadcast(a0[k]);
                    c00 = TSimd.MultiplyAdd(each, b0, c00);
                    c01 = TSimd.MultiplyAdd(each, b1, c01);
                    each = TSimd.Broadcast(a1[k]);
                    c10 = TSimd.MultiplyAdd(each, b0, c10);
                    c11 = TSimd.MultiplyAdd(each, b1, c11);
                    each = TSimd.Broadcast(a2[k]);
                    c20 = TSimd.MultiplyAdd(each, b0, c20);
                    c21 = TSimd.MultiplyAdd(each, b1, c21);
                    each = TSimd.Broadcast(a3[k]);
                    c30 = TSimd.MultiplyAdd(each, b0, c30);
                    c31 = TSimd.MultiplyAdd(each, b1, c31);
                }

                float* row = c + m * cRow + n;
                PutPair<TSimd, TVector>(c00, c01, row, adds);
                PutPair<TSimd, TVector>(c10, c11, row + cRow, adds);
                PutPair<TSimd, TVector>(c20, c21, row + 2 * cRow, adds);
                PutPair<TSimd, TVector>(c30, c31, row + 3 * cRow, adds);
            }

            for (; m < rows; m++)
            {
                float* left = a + m * aRow, right = b + n, end = right + inner * bRow;
                TVector c0 = TSimd.Broadcast(0f), c1 = c0;
                for (; right < end; right += bRow, left += aInner)
                {
                    c0 = TSimd.MultiplyAdd(TSimd.Broadcast(*left), TSimd.Load(right), c0);
                    c1 = TSimd.MultiplyAdd(TSimd.Broadcast(*left), TSimd.Load(right + count), c1);
                }

                PutPair<TSimd, TVector>(c0, c1, c + m * cRow + n, adds);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PutPair<TSimd, TVector>(TVector first, TVector second, float* destination, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TSimd.Store(adds ? TSimd.Add(TSimd.Load(destination), first) : first, destination);
        TSimd.Store(adds ? TSimd.Add(TSimd.Load(destination + TSimd.Count), second) : second, destination + TSimd.Count);
    }

    private static float Dot<TSimd, TVector>(float* a, float* b, int n)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector sums = TSimd.Broadcast(0f);
        int i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
            sums = TSimd.MultiplyAdd(TSimd.Load(a + i), TSimd.Load(b + i), sums);
        float sum = TSimd.Sum(sums);
        for (; i < n; i++)
            sum += a[i] * b[i];
        return sum;
    }

    /// <summary>destination = scale·source, or +=, for n elements.</summary>
    private static void PutRow<TSimd, TVector>(float* source, float scale, int n, float* destination, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int i = 0;
        for (; i <= n - TSimd.Count; i += TSimd.Count)
        {
            TVector value = TSimd.Multiply(TSimd.Load(source + i), TSimd.Broadcast(scale));
            TSimd.Store(adds ? TSimd.Add(TSimd.Load(destination + i), value) : value, destination + i);
        }

        for (; i < n; i++)
            destination[i] = adds ? destination[i] + scale * source[i] : scale * source[i];
    }

    /// <summary>y[d, lane] = scale·x[lane, d], y (D, R), zero in the lanes without a row. On x86 by squares of 4×4.</summary>
    private static void Transpose(float* x, int stride, int lanes, int D, int R, float scale, float* y)
    {
        int squareLanes = Sse.IsSupported ? lanes & ~3 : 0, squareD = D & ~3;
        for (int lane = 0; lane < squareLanes; lane += 4)
        {
            float* x0 = x + lane * stride, x1 = x0 + stride, x2 = x1 + stride, x3 = x2 + stride, to = y + lane;
            for (int d = 0; d < squareD; d += 4, to += 4 * R)
            {
                Vector128<float> a = Vector128.Load(x0 + d) * scale, b = Vector128.Load(x1 + d) * scale;
                Vector128<float> c = Vector128.Load(x2 + d) * scale, e = Vector128.Load(x3 + d) * scale;
                Vector128<float> ac = Sse.UnpackLow(a, c), be = Sse.UnpackLow(b, e);
                Sse.UnpackLow(ac, be).Store(to);
                Sse.UnpackHigh(ac, be).Store(to + R);
                (ac, be) = (Sse.UnpackHigh(a, c), Sse.UnpackHigh(b, e));
                Sse.UnpackLow(ac, be).Store(to + 2 * R);
                Sse.UnpackHigh(ac, be).Store(to + 3 * R);
            }
        }

        for (int d = 0; d < D; d++)
        {
            for (int lane = d < squareD ? squareLanes : 0; lane < R; lane++)
                y[d * R + lane] = lane < lanes ? scale * x[lane * stride + d] : 0f;
        }
    }

    /// <summary>
    /// Copies <paramref name="count"/> rows of D to rows of whole vector pairs, padded with zeros. Also
    /// where D fills them: rows far apart by a power of two would fall on the same few lines of the cache.
    /// </summary>
    private static void Pack(float* rows, int stride, int count, int D, int width, float* copy)
    {
        for (int i = 0; i < count; i++)
        {
            Span<float> row = new(copy + i * width, width);
            new Span<float>(rows + i * stride, D).CopyTo(row);
            row[D..].Clear();
        }
    }

    private static float* Scratch(Workers workers, int length) =>
        (float*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(workers.ThreadScratch(length)));

    /// <summary>Where one query head of one sequence lies: offsets of its first query, key, value and output, distances of their rows.
    /// Index: b·H + h.</summary>
    private readonly struct AttentionHead(AttentionSizes sizes, int index)
    {
        public readonly AttentionSizes Sizes = sizes;
        public readonly int Index = index;
        public readonly int QueryRow = sizes.H * sizes.D;
        public readonly int KeyRow = sizes.KvHeads * sizes.D;
        public readonly int ValueRow = sizes.KvHeads * sizes.ValueSize;
        public readonly int OutputRow = sizes.H * sizes.ValueSize;
        public readonly int Query = QueryHead(sizes, index) * sizes.D;
        public readonly int Key = KeyHead(sizes, index) * sizes.D;
        public readonly int Value = KeyHead(sizes, index) * sizes.ValueSize;
        public readonly int Output = QueryHead(sizes, index) * sizes.ValueSize;

        private static int QueryHead(AttentionSizes sizes, int index) => index / sizes.H * sizes.T * sizes.H + index % sizes.H;

        private static int KeyHead(AttentionSizes sizes, int index) =>
            index / sizes.H * sizes.S * sizes.KvHeads + index % sizes.H / (sizes.H / sizes.KvHeads);
    }

    /// <summary>A block of up to R queries from <paramref name="start"/> on, and the keys from Low to before
    /// High, of those from <paramref name="firstKey"/> to before <paramref name="endKey"/>, that any of them sees.</summary>
    private readonly struct QueryBlock(AttentionSizes sizes, int start, int R, int firstKey = 0, int endKey = int.MaxValue)
    {
        public readonly int Start = start;
        public readonly int Position = start + sizes.S - sizes.T;
        public readonly int Lanes = Math.Min(R, sizes.T - start);
        public readonly int Low = Math.Max(firstKey, sizes.Window > 0 ? start + sizes.S - sizes.T + 1 - sizes.Window : 0);
        public readonly int High = Math.Min(endKey, start + sizes.S - sizes.T + Math.Min(R, sizes.T - start));

        /// <summary>First key that the last lane sees.</summary>
        public readonly int LowOfLast = sizes.Window > 0 ? Math.Max(0, start + sizes.S - sizes.T + R - sizes.Window) : 0;

        public int Keys => High - Low;

        /// <summary>How many keys, from Low on, are not after the position of a lane.</summary>
        public int KeysOf(int lane) => Math.Max(0, Math.Min(High, Position + lane + 1) - Low);
    }

    private readonly record struct ForwardWork(
        CpuBackend Backend, Floats Q, Floats K, Floats V, AttentionSizes Sizes, Dropout Dropout, Floats Y, Floats LogSumExp) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>() => Backend.AttentionForward<TSimd, TVector>(Q, K, V, Sizes, Dropout, Y, LogSumExp);
    }
}
