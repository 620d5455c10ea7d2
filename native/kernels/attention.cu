// Attention without a T×S matrix in memory (Dao et al. 2022, 2023), in float32: forward here, backward in attention_backward.cu.
//
// A block of 128 threads owns 64 rows of one head: queries for y and dq, keys for dk and dv. It walks over the tiles of 64 queries by 64
// keys that the mask leaves to its rows, in order, and adds up in registers. The scores of a tile are q·kᵀ, made of slices of 32 columns of
// D that pass through shared memory; the softmax is kept up as tiles come (a largest score and a sum for each row). The backward makes the
// weights again from the scores and the saved log-sum-exp. Nothing is added by two blocks, so all sums have one order: no atomics.
//
// Global memory, for each visible tile of 64×64 and each 128 columns of D: as many times 64·D·4 bytes as stand here, most of them from a
// cache, since a head's rows are few:
//   forward 3 (q, k, v),   dq 5 (q, k, dy, v, k),   dk and dv 6 (q, k, dy, v, dy, q).
// All else is one row of D, or one number, for each query or key. One query alone (generation) reads each key and value that it sees once.
#include "attention.cuh"

// q (B, T, H, D), k (B, S, KvHeads, D), v (B, S, KvHeads, valueSize), y (B, T, H, valueSize), logSumExp (B, H, T)
template <int Size>
DEVICE void attend(const float* q, const float* k, const float* v, TileShape shape, Stream stream, float* y, float* logSumExp)
{
    __shared__ Shared shared;
    int T = shape.T, S = shape.S, H = shape.H, D = shape.D, valueSize = shape.valueSize;
    Drop drop{ shape.rate, stream };
    Piece piece(T, Size, valueSize, true);
    int b = piece.head / H, h = piece.head % H, keyHead = shape.key_head(h), last = shape.position(min(piece.start + Tile, T) - 1);
    HeadRows queries = rows_of(q, b, T, piece.start, shape.queryRow, h, D);
    float scale = shape.scale() * Log2E; // scores in powers of two

    Sums<Size> sums;
    sums.clear();
    float largest[Rows], total[Rows]; // of each row: the largest score so far; the sum of weights that this thread made
#pragma unroll
    for (int i = 0; i < Rows; i++)
        largest[i] = -Infinity, total[i] = 0;

    int low = shape.window > 0 ? max(0, shape.position(piece.start) + 1 - shape.window) : 0;
    for (int s = low / Tile * Tile; s <= last; s += Tile)
    {
        drop.draw(shared, ((index_t)piece.head * T + piece.start) * S + s, S);
        float scores[Rows][Columns];
        multiply_rows(shared, queries, rows_of(k, b, S, s, shape.keyRow, keyHead, D), D, scores);
#pragma unroll
        for (int i = 0; i < Rows; i++)
        {
            int t = piece.start + row_of(i);
            float top = largest[i];
            uint64 seen = shape.seen(t, s) >> column_of(0), kept = drop.kept(shared, i) >> column_of(0);
#pragma unroll
            for (int j = 0; j < Columns; j++)
            {
                scores[i][j] = bit_of(seen, j) ? scores[i][j] * scale : -Infinity;
                top = fmaxf(top, scores[i][j]);
            }

            // What was added up so far had weights 2^(score − largest): it shrinks as the largest grows.
            top = reduce_row(top, Max());
            float shift = top == -Infinity ? 0 : top, shrink = exp2f(largest[i] - shift);
            largest[i] = top;
            total[i] *= shrink;
            sums.scale_row(i, shrink);

#pragma unroll
            for (int j = 0; j < Columns; j++)
            {
                float weight = exp2f(scores[i][j] - shift);
                total[i] += weight;
                shared.tile[row_of(i)][column_of(j)] = bit_of(kept, j) ? weight * drop.factor() : 0;
            }
        }

        sums.add_keys(shared, rows_of(v, b, S, s, shape.valueRow, keyHead, valueSize), piece.from, valueSize);
    }

#pragma unroll
    for (int i = 0; i < Rows; i++)
    {
        int t = piece.start + row_of(i);
        float all = reduce_row(total[i], Add());
        sums.scale_row(i, 1 / all);
        if (t < T && piece.from == 0 && threadIdx.x % Lanes == 0)
            logSumExp[(index_t)piece.head * T + t] = (largest[i] + log2f(all)) * Ln2;
    }

    TargetRows outputs = rows_of(Target{ y, 0 }, b, T, piece.start, shape.output_row(), h, valueSize);
    sums.write(shared, 1, row_of(0), Groups, outputs, piece.from, valueSize);
}

// Values of up to 64 columns: half the registers of sums, so more blocks at a time.
KERNEL __launch_bounds__(Threads, 3) attention_forward_64(
    const float* q, const float* k, const float* v, TileShape shape, Stream stream, float* y, float* logSumExp)
{
    attend<64>(q, k, v, shape, stream, y, logSumExp);
}

// Any values: beyond 128 columns each 128 have blocks of their own, which make the scores again.
KERNEL __launch_bounds__(Threads, 2) attention_forward_128(
    const float* q, const float* k, const float* v, TileShape shape, Stream stream, float* y, float* logSumExp)
{
    attend<128>(q, k, v, shape, stream, y, logSumExp);
}

// One query for each head, as in generation: a block per head (and 128 columns of it), its warps take the keys by fours, each with a
// softmax of its own, and put their results together in order. Shapes as above with T = 1.
KERNEL __launch_bounds__(32 * 16) attention_forward_one(
    const float* q, const float* k, const float* v, int S, int H, int KvHeads, int D, int valueSize, int window, float* y,
    float* logSumExp)
{
    constexpr int Warps = 16, Keys = 4, Size = 128, Each = Size / WarpSize;
    __shared__ float shared[Warps][Size], tops[Warps], totals[Warps];
    Shape shape{ 1, S, H, KvHeads, D, valueSize, window };
    int parts = ceil_div(valueSize, Size), from = blockIdx.x % parts * Size, head = blockIdx.x / parts, keyHead = shape.key_head(head % H),
        low = window > 0 ? max(0, S - window) : 0;
    index_t keys = (index_t)(head / H) * S, row = (index_t)KvHeads * D, first = keys * row + keyHead * D;
    index_t valueRow = (index_t)KvHeads * valueSize, firstValue = keys * valueRow + keyHead * valueSize;
    float scale = shape.scale() * Log2E, query[Each], sums[Each] = {}, top = -Infinity, total = 0;
    q += (index_t)head * D;
#pragma unroll
    for (int c = 0; c < Each; c++)
        query[c] = lane() + WarpSize * c < D ? q[lane() + WarpSize * c] : 0;

    for (int s = low + Keys * warp(); s < S; s += Keys * Warps)
    {
        float weights[Keys], largest = top;
#pragma unroll
        for (int u = 0; u < Keys; u++)
        {
            const float* key = k + first + (s + u) * row;
            float product = 0;
#pragma unroll
            for (int c = 0; c < Each; c++)
                if (s + u < S && lane() + WarpSize * c < D)
                    product = fmaf(query[c], key[lane() + WarpSize * c], product);
            for (int d = Size + lane(); s + u < S && d < D; d += WarpSize)
                product = fmaf(q[d], key[d], product);
            weights[u] = s + u < S ? sum_warp(product) * scale : -Infinity;
            largest = fmaxf(largest, weights[u]);
        }

        float shift = largest == -Infinity ? 0 : largest, shrink = exp2f(top - shift);
        top = largest;
        total *= shrink;
#pragma unroll
        for (int u = 0; u < Keys; u++)
            total += weights[u] = exp2f(weights[u] - shift);
#pragma unroll
        for (int c = 0; c < Each; c++)
        {
            int d = from + lane() + WarpSize * c;
            sums[c] *= shrink;
#pragma unroll
            for (int u = 0; u < Keys; u++)
                if (s + u < S && d < valueSize)
                    sums[c] = fmaf(weights[u], v[firstValue + (s + u) * valueRow + d], sums[c]);
        }
    }

#pragma unroll
    for (int c = 0; c < Each; c++)
        shared[warp()][lane() + WarpSize * c] = sums[c];
    if (lane() == 0)
        tops[warp()] = top, totals[warp()] = total;
    __syncthreads();
    if (threadIdx.x >= Size || from + threadIdx.x >= valueSize)
        return;

    float largest = -Infinity, all = 0, sum = 0;
    for (int w = 0; w < Warps; w++)
        largest = fmaxf(largest, tops[w]);
    for (int w = 0; w < Warps; w++)
    {
        float share = tops[w] == -Infinity ? 0 : exp2f(tops[w] - largest);
        all += totals[w] * share;
        sum = fmaf(shared[w][threadIdx.x], share, sum);
    }

    y[(index_t)head * valueSize + from + threadIdx.x] = sum / all;
    if (from + threadIdx.x == 0)
        logSumExp[head] = (largest + log2f(all)) * Ln2;
}
