using System.Runtime.CompilerServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// What forward and backward of attention have in common: blocks of queries and what they see, copies that the micro-kernel reads, and the
// products of both. Matrices of a block have a row per query and a column per key; the key of column 0 is the same for the whole piece,
// and a multiple of two vectors, so that a row's sums have one order in whatever piece it is.
public sealed unsafe partial class CpuBackend
{
    /// <summary>c[i, s] = Σ_d rows[i, d]·keys[s, d] for the columns from <paramref name="from"/> to before <paramref name="to"/>, in tiles
    /// of two vectors and of the queries that see one of them. rows (queries, D), turned: panels (D, two vectors), c (queries, columns).
    /// </summary>
    private static void MeetKeys<TSimd, TVector>(
        in QueryBlock block, float* rows, int stride, float* turned, int D, int from, int to, float* c, int cRow)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int R = 2 * TSimd.Count, strip = MicroKernel.RowsOf<TSimd, TVector>();
        for (int column = from; column < to; column += R)
        {
            int first = block.FirstThatSees(column) / strip * strip, end = block.EndThatSees(column + R - 1);
            if (first < end)
            {
                Product<TSimd, TVector>(
                    rows + first * stride, stride, 1, turned + column * D, R, end - first, R, D, c + first * cRow + column - from, cRow,
                    adds: false);
            }
        }
    }

    /// <summary>sums[i] = or += Σ_s left[i, s]·rows[s] over those columns. left (queries, columns), rows (keys, width), sums (queries,
    /// width).</summary>
    private static void SumOverKeys<TSimd, TVector>(
        in QueryBlock block, float* left, int leftRow, float* rows, int width, int from, int to, float* sums, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int i = 0, height; i < block.Rows; i += height)
        {
            height = StripOf<TSimd, TVector>(block.Rows - i);
            int first = Math.Max(from, block.Low(i)), end = Math.Min(to, block.High(i + height - 1)); // what any of them sees
            if (first < end)
            {
                Product<TSimd, TVector>(
                    left + i * leftRow + first - from, leftRow, 1, rows + first * width, width, height, width, end - first,
                    sums + i * width, width, adds);
            }
        }
    }

    /// <summary>sums[s] += Σ over the queries that see s of left[i, s]·rows[i], for those columns. left (queries, columns), rows (queries,
    /// width), sums (keys, width).</summary>
    private static void AddToKeys<TSimd, TVector>(
        in QueryBlock block, float* left, int leftRow, float* rows, int width, int from, int to, float* sums)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // The first columns are seen by all queries; then each strip of columns begins with the first that sees one of it.
        int seenByAll = Math.Clamp(block.High(0) - 1, from, to);
        Product<TSimd, TVector>(
            left, 1, leftRow, rows, width, seenByAll - from, width, block.Rows, sums + from * width, width, adds: true);
        for (int column = seenByAll, height; column < to; column += height)
        {
            height = StripOf<TSimd, TVector>(to - column);
            int first = block.FirstThatSees(column);
            Product<TSimd, TVector>(
                left + first * leftRow + column - from, 1, leftRow, rows + first * width, width, height, width, block.Rows - first,
                sums + column * width, width, adds: true);
        }
    }

    /// <summary>Scores of −∞ in the vectors of a row that have keys which its query does not see.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Hide<TSimd, TVector>(float* scores, SeenKeys seen)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector hidden = TSimd.Broadcast(float.NegativeInfinity);
        if (seen.Low > seen.Begin)
        {
            float* first = scores + seen.Begin;
            TSimd.Store(TSimd.WhereLess(TSimd.Indices, TSimd.Broadcast(seen.Low - seen.Begin), hidden, TSimd.Load(first)), first);
        }

        if (seen.High < seen.End)
        {
            float* last = scores + seen.End - TSimd.Count;
            TVector lanes = TSimd.Broadcast(seen.High - (seen.End - TSimd.Count));
            TSimd.Store(TSimd.WhereLess(TSimd.Indices, lanes, TSimd.Load(last), hidden), last);
        }
    }

    /// <summary>Zeros beside what a query sees: as far as a strip's other queries may see more than it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void ClearBeside<TSimd, TVector>(float* row, SeenKeys seen)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector zero = TSimd.Broadcast(0f);
        for (int s = 0; s < seen.Begin; s += TSimd.Count)
            TSimd.Store(zero, row + s);
        for (int s = 0; s < MicroKernel.RowsOf<TSimd, TVector>(); s += TSimd.Count)
            TSimd.Store(zero, row + seen.End + s);
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
        int strip = MicroKernel.RowsOf<TSimd, TVector>(), strips = rows / strip;
        if (strip == 6 && strips > 0 && rows - strips * 6 == 2)
            strips--; // twice four rather than six and two
        for (int n = 0; n < columns; n += 2 * TSimd.Count)
        {
            MicroKernel.MultiplyStrips<TSimd, TVector>(strips, inner, a, aRow, aInner, b + n, bRow, c + n, cRow, adds);
            int m = strips * strip;
            for (; m <= rows - 4; m += 4)
                MultiplyFour<TSimd, TVector>(inner, a + m * aRow, aRow, aInner, b + n, bRow, c + m * cRow + n, cRow, adds);
            for (; m < rows; m++)
            {
                float* left = a + m * aRow, right = b + n, row = c + m * cRow + n;
                TVector c0 = adds ? TSimd.Load(row) : TSimd.Broadcast(0f), c1 = adds ? TSimd.Load(row + TSimd.Count) : TSimd.Broadcast(0f);
                for (int k = 0; k < inner; k++, right += bRow, left += aInner)
                {
                    c0 = TSimd.MultiplyAdd(TSimd.Broadcast(*left), TSimd.Load(right), c0);
                    c1 = TSimd.MultiplyAdd(TSimd.Broadcast(*left), TSimd.Load(right + TSimd.Count), c1);
                }

                TSimd.Store(c0, row);
                TSimd.Store(c1, row + TSimd.Count);
            }
        }
    }

    /// <summary>Four rows of two vectors.</summary>
    private static void MultiplyFour<TSimd, TVector>(
        int inner, float* a, nint aRow, nint aInner, float* b, nint bRow, float* c, nint cRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int count = TSimd.Count;
        float* c1 = c + cRow, c2 = c1 + cRow, c3 = c2 + cRow;
        TVector c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        if (adds)
        {
            (c00, c01, c10, c11) = (TSimd.Load(c), TSimd.Load(c + count), TSimd.Load(c1), TSimd.Load(c1 + count));
            (c20, c21, c30, c31) = (TSimd.Load(c2), TSimd.Load(c2 + count), TSimd.Load(c3), TSimd.Load(c3 + count));
        }

        float* a3 = a + 3 * aRow;
        for (int k = 0; k < inner; k++, a += aInner, a3 += aInner, b += bRow)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + count), each = TSimd.Broadcast(*a);
            c00 = TSimd.MultiplyAdd(each, b0, c00);
            c01 = TSimd.MultiplyAdd(each, b1, c01);
            each = TSimd.Broadcast(a[aRow]);
            c10 = TSimd.MultiplyAdd(each, b0, c10);
            c11 = TSimd.MultiplyAdd(each, b1, c11);
            each = TSimd.Broadcast(a[2 * aRow]);
            c20 = TSimd.MultiplyAdd(each, b0, c20);
            c21 = TSimd.MultiplyAdd(each, b1, c21);
            each = TSimd.Broadcast(*a3);
            c30 = TSimd.MultiplyAdd(each, b0, c30);
            c31 = TSimd.MultiplyAdd(each, b1, c31);
        }

        TSimd.Store(c00, c);
        TSimd.Store(c01, c + count);
        TSimd.Store(c10, c1);
        TSimd.Store(c11, c1 + count);
        TSimd.Store(c20, c2);
        TSimd.Store(c21, c2 + count);
        TSimd.Store(c30, c3);
        TSimd.Store(c31, c3 + count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
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

    /// <summary>Rows of n elements: destination = scale·source, or +=. The scale is the row's, or one for all: scaleStep 0.</summary>
    private static void PutRows<TSimd, TVector>(
        float* source, int sourceRow, int rows, int n, float* scale, int scaleStep, float* destination, int destinationRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (; rows > 0; rows--, source += sourceRow, scale += scaleStep, destination += destinationRow)
        {
            TVector factor = TSimd.Broadcast(*scale);
            for (int i = 0; i < n; i += TSimd.Count)
                TSimd.Write(TSimd.Multiply(TSimd.Load(source + i), factor), destination + i, n - i, adds);
        }
    }

    /// <summary>How many of the rows that are left come next: a strip of the micro-kernel, or four, or one. Eight are twice four.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int StripOf<TSimd, TVector>(int left)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int strip = MicroKernel.RowsOf<TSimd, TVector>();
        return left >= strip && (left != 8 || strip == 8) ? strip : left >= 4 ? 4 : 1;
    }

    /// <summary>Panels of R rows of D, each turned: panels[r / R][d, r % R] = rows[r, d], zero for the rows that there are not.</summary>
    private static void Turn(float* rows, int stride, int count, int D, int R, float* panels)
    {
        for (int r = 0; r < count; r += R)
            Packing.Pack(rows + r * stride, stride, 1, Math.Min(R, count - r), D, R, panels + r * D);
    }

    /// <summary>
    /// Copies <paramref name="count"/> rows of D to rows of whole vector pairs, padded with zeros. Also
    /// where D fills them: rows far apart by a power of two would fall on the same few lines of the cache.
    /// </summary>
    private static void CopyRows<TSimd, TVector>(float* rows, int stride, int count, int D, int width, float* copy)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int i = 0; i < count; i++, rows += stride, copy += width)
        {
            for (int d = 0; d < width; d += TSimd.Count)
                TSimd.Store(TSimd.Load(rows + d, D - d), copy + d);
        }
    }

    /// <summary>Floats from a row of so many columns to the next: room for whole tiles and for zeros behind them, and
    /// an odd number of the cache's lines, so that a column does not fall on the same few of its places.</summary>
    private static int RowOf(int columns) => 16 * (Ceiling.Divide(columns + 16, 16) | 1);

    private static float* Scratch(Workers workers, int length) => Address(workers.ThreadScratch(length));

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

    /// <summary>Queries <paramref name="start"/> and after it of a head; rows of matrices whose column 0 is <paramref name="firstKey"/>.
    /// </summary>
    private readonly struct QueryBlock(in AttentionSizes sizes, int firstKey, int start, int rows)
    {
        private readonly int high = start + sizes.S - sizes.T + 1 - firstKey;
        private readonly int window = sizes.Window > 0 ? sizes.Window : int.MaxValue / 2;

        public readonly int Rows = rows;

        /// <summary>The first column that a row sees.</summary>
        public int Low(int row) => Math.Max(0, high + row - window);

        /// <summary>The column after the last that a row sees.</summary>
        public int High(int row) => high + row;

        /// <summary>The first row that sees a column, if one does.</summary>
        public int FirstThatSees(int column) => Math.Max(0, column + 1 - high);

        /// <summary>The row after the last that sees a column, or one before it.</summary>
        public int EndThatSees(int column) => Math.Min(Rows, column + 1 - high + window);

        /// <summary>What a row sees of some columns, in vectors of so many.</summary>
        public SeenKeys Seen(int row, int from, int to, int count)
        {
            int low = Math.Clamp(Low(row), from, to) - from, high = Math.Clamp(High(row), from, to) - from;
            return new(low, high, low & -count, (high + count - 1) & -count); // a power of two
        }
    }

    /// <summary>The columns, Low to before High, that a query sees, and the whole vectors that have them, Begin to before End.</summary>
    private readonly record struct SeenKeys(int Low, int High, int Begin, int End);
}
