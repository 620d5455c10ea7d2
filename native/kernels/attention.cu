// Attention without a T×S matrix in memory (Dao et al. 2022, 2023), forward and backward, in float32.
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

// A head of values, and so of outputs, may have another size than one of queries and keys, D.
struct Sizes : Shape
{
    int valueSize;
};

// ---- Forward ---------------------------------------------------------------------------------------------------------------------------

// The rows that a block owns: it begins with those that see the most, so that the last blocks to run are short ones.
struct Piece
{
    int head, start, from; // head of all sequences, first row, first column of D

    DEVICE Piece(int rows, int size, int D, bool lastFirst)
    {
        int parts = ceil_div(D, size), tiles = ceil_div(rows, Tile), heads = gridDim.x / (parts * tiles);
        int tile = blockIdx.x / (parts * heads);
        from = blockIdx.x % parts * size;
        head = blockIdx.x / parts % heads;
        start = (lastFirst ? tiles - 1 - tile : tile) * Tile;
    }
};

// q (B, T, H, D), k (B, S, KvHeads, D), v (B, S, KvHeads, valueSize), y (B, T, H, valueSize), logSumExp (B, H, T)
template <int Size>
DEVICE void attend(const float* q, const float* k, const float* v, Sizes shape, Drop drop, float* y, float* logSumExp)
{
    __shared__ Shared shared;
    int T = shape.T, S = shape.S, H = shape.H, D = shape.D, valueSize = shape.valueSize;
    Piece piece(T, Size, valueSize, true);
    int b = piece.head / H, h = piece.head % H, keyHead = shape.key_head(h), last = shape.position(min(piece.start + Tile, T) - 1);
    HeadRows queries = rows_of(q, b, T, piece.start, H, h, D);
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
        multiply_rows(shared, queries, rows_of(k, b, S, s, shape.KvHeads, keyHead, D), D, scores);
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

        sums.add_keys(shared, rows_of(v, b, S, s, shape.KvHeads, keyHead, valueSize), piece.from, valueSize);
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

    sums.write(shared, 1, row_of(0), Groups, rows_of(Target{ y, 0 }, b, T, piece.start, H, h, valueSize), piece.from, valueSize);
}

// Values of up to 64 columns: half the registers of sums, so more blocks at a time.
KERNEL __launch_bounds__(Threads, 3) attention_forward_64(const float* q, const float* k, const float* v, int T, int S, int H, int KvHeads,
    int D, int valueSize, int window, float rate, Stream stream, float* y, float* logSumExp)
{
    attend<64>(q, k, v, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, y, logSumExp);
}

// Any values: beyond 128 columns each 128 have blocks of their own, which make the scores again.
KERNEL __launch_bounds__(Threads, 2) attention_forward_128(const float* q, const float* k, const float* v, int T, int S, int H, int KvHeads,
    int D, int valueSize, int window, float rate, Stream stream, float* y, float* logSumExp)
{
    attend<128>(q, k, v, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, y, logSumExp);
}

// One query for each head, as in generation: a block per head (and 128 columns of it), its warps take the keys by fours, each with a
// softmax of its own, and put their results together in order. Shapes as above with T = 1.
KERNEL __launch_bounds__(32 * 16) attention_forward_one(
    const float* q, const float* k, const float* v, int S, int H, int KvHeads, int D, int valueSize, int window, float* y,
    float* logSumExp)
{
    constexpr int Warps = 16, Keys = 4, Size = 128, Each = Size / WarpSize;
    __shared__ float shared[Warps][Size], tops[Warps], totals[Warps];
    Sizes shape{ { 1, S, H, KvHeads, D, window }, valueSize };
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

// ---- Backward --------------------------------------------------------------------------------------------------------------------------
// With P the weights, M the factors of dropout (0 or 1/(1 − rate)), and δ[t] = dy[t]·y[t]:
// dS = P·(M·(dy[t]·v[s]) − δ[t]),   dq[t] = Σ_s dS·k[s]/√D,   dk[s] = Σ_t dS·q[t]/√D,   dv[s] = Σ_t P·M·dy[t]

// δ (B, H, T), a warp per row. dy, y (B, T, H, D), D of values
KERNEL attention_backward_delta(const float* dy, const float* y, int T, int H, int D, int rows, float* delta)
{
    int n = blockIdx.x * (blockDim.x / WarpSize) + warp(), h = n % H, t = n / H % T, b = n / H / T;
    if (n >= rows)
        return;
    dy += (index_t)n * D;
    y += (index_t)n * D;
    float sum = 0;
    for (int d = lane(); d < D; d += WarpSize)
        sum = fmaf(dy[d], y[d], sum);
    sum = sum_warp(sum);
    if (lane() == 0)
        delta[((index_t)b * H + h) * T + t] = sum;
}

// One head's rows of q and dy, and what is saved of them, from query `start` on.
struct Queries
{
    HeadRows q, dy;
    const float *logSumExp, *delta;
    index_t number; // of the first query and key 0, in dropout
    int start;

    DEVICE Queries(const float* qs, const float* dys, const float* logSumExps, const float* deltas, const Sizes& shape, int b, int h, int t)
        : q(rows_of(qs, b, shape.T, t, shape.H, h, shape.D)), dy(rows_of(dys, b, shape.T, t, shape.H, h, shape.valueSize)), start(t)
    {
        index_t row = ((index_t)b * shape.H + h) * shape.T + t;
        logSumExp = logSumExps + row;
        delta = deltas + row;
        number = row * shape.S;
    }
};

// Of the tile of these queries and the 64 keys from `s` on: P·M into the tile, dS into slopes.
// The tile keeps P while the registers are full of products.
DEVICE void make_slopes(Shared& shared, const Sizes& shape, const Drop& drop, const Queries& queries, HeadRows k, HeadRows v, int s,
    float (&slopes)[Rows][Columns])
{
    drop.draw(shared, queries.number + s, shape.S);
    multiply_rows(shared, queries.q, k, shape.D, slopes);
    float scale = shape.scale() * Log2E;
#pragma unroll
    for (int i = 0; i < Rows; i++)
    {
        int row = row_of(i), t = queries.start + row;
        float log = t < shape.T ? queries.logSumExp[row] * Log2E : 0;
        uint64 seen = t < shape.T ? shape.seen(t, s) >> column_of(0) : 0;
#pragma unroll
        for (int j = 0; j < Columns; j++)
            shared.tile[row][column_of(j)] = bit_of(seen, j) ? exp2f(slopes[i][j] * scale - log) : 0;
    }

    multiply_rows(shared, queries.dy, v, shape.valueSize, slopes);
#pragma unroll
    for (int i = 0; i < Rows; i++)
    {
        int row = row_of(i);
        float delta = queries.start + row < shape.T ? queries.delta[row] : 0;
        uint64 kept = drop.kept(shared, i) >> column_of(0);
#pragma unroll
        for (int j = 0; j < Columns; j++)
        {
            float& weight = shared.tile[row][column_of(j)];
            float factor = bit_of(kept, j) ? drop.factor() : 0;
            slopes[i][j] = weight * (factor * slopes[i][j] - delta);
            weight *= factor;
        }
    }
}

// The first half of that: P·M of the tile alone.
DEVICE void make_weights(Shared& shared, const Sizes& shape, const Drop& drop, const Queries& queries, HeadRows k, int s)
{
    drop.draw(shared, queries.number + s, shape.S);
    float scores[Rows][Columns];
    multiply_rows(shared, queries.q, k, shape.D, scores);
    float scale = shape.scale() * Log2E;
#pragma unroll
    for (int i = 0; i < Rows; i++)
    {
        int row = row_of(i), t = queries.start + row;
        float log = t < shape.T ? queries.logSumExp[row] * Log2E : 0;
        uint64 seen = t < shape.T ? shape.seen(t, s) >> column_of(0) : 0, kept = drop.kept(shared, i) >> column_of(0);
#pragma unroll
        for (int j = 0; j < Columns; j++)
            shared.tile[row][column_of(j)] = bit_of(seen, j) && bit_of(kept, j) ? exp2f(scores[i][j] * scale - log) * drop.factor() : 0;
    }
}

// Into the tile, whose next reader waits at the barrier of its first slice.
DEVICE void put_tile(Shared& shared, const float (&values)[Rows][Columns])
{
#pragma unroll
    for (int i = 0; i < Rows; i++)
#pragma unroll
        for (int j = 0; j < Columns; j++)
            shared.tile[row_of(i)][column_of(j)] = values[i][j];
}

// q, dq (B, T, H, D), k (B, S, KvHeads, D), dy (B, T, H, valueSize), v (B, S, KvHeads, valueSize), logSumExp, delta (B, H, T)
template <int Size>
DEVICE void attend_backward_queries(const float* dy, const float* q, const float* k, const float* v, const float* logSumExp,
    const float* delta, Sizes shape, Drop drop, Target dq)
{
    __shared__ Shared shared;
    int T = shape.T, S = shape.S, H = shape.H, D = shape.D;
    Piece piece(T, Size, D, true);
    int b = piece.head / H, h = piece.head % H, keyHead = shape.key_head(h), last = shape.position(min(piece.start + Tile, T) - 1);
    Queries queries(q, dy, logSumExp, delta, shape, b, h, piece.start);
    Sums<Size> sums;
    sums.clear();

    int low = shape.window > 0 ? max(0, shape.position(piece.start) + 1 - shape.window) : 0;
    for (int s = low / Tile * Tile; s <= last; s += Tile)
    {
        HeadRows keys = rows_of(k, b, S, s, shape.KvHeads, keyHead, D);
        HeadRows values = rows_of(v, b, S, s, shape.KvHeads, keyHead, shape.valueSize);
        float slopes[Rows][Columns];
        make_slopes(shared, shape, drop, queries, keys, values, s, slopes);
        put_tile(shared, slopes);
        sums.add_keys(shared, keys, piece.from, D);
    }

    sums.write(shared, shape.scale(), row_of(0), Groups, rows_of(dq, b, T, piece.start, H, h, D), piece.from, D);
}

// The keys of one key head meet the queries of all its heads, head by head, for dk, dv or both: the sums of both fill the registers, so
// that they are made together only where all sizes are one. Shapes as above; dk like k, dv like v
template <int Size, bool MakesKeys, bool MakesValues>
DEVICE void attend_backward_keys(const float* dy, const float* q, const float* k, const float* v, const float* logSumExp,
    const float* delta, Sizes shape, Drop drop, Target dk, Target dv)
{
    __shared__ Shared shared;
    int T = shape.T, S = shape.S, KvHeads = shape.KvHeads, D = shape.D, valueSize = shape.valueSize, group = shape.H / KvHeads;
    Piece piece(S, Size, MakesKeys ? D : valueSize, false);
    int b = piece.head / KvHeads, keyHead = piece.head % KvHeads, s = piece.start;
    HeadRows keys = rows_of(k, b, S, s, KvHeads, keyHead, D), values = rows_of(v, b, S, s, KvHeads, keyHead, valueSize);
    Sums<Size> keySums, valueSums;
    keySums.clear();
    valueSums.clear();

    int first = max(0, s - shape.position(0)), end = shape.window > 0 ? min(T, s + Tile - 1 + shape.window - shape.position(0)) : T;
    for (int h = keyHead * group; h < (keyHead + 1) * group; h++)
    {
        for (int t = first / Tile * Tile; t < end; t += Tile)
        {
            Queries queries(q, dy, logSumExp, delta, shape, b, h, t);
            float slopes[Rows][Columns];
            if (MakesKeys)
                make_slopes(shared, shape, drop, queries, keys, values, s, slopes);
            else
                make_weights(shared, shape, drop, queries, keys, s);
            if (MakesValues && dv.wanted())
                valueSums.add_queries(shared, queries.dy, piece.from, valueSize);
            if (MakesKeys && dk.wanted())
            {
                __syncthreads(); // all have read the weights
                put_tile(shared, slopes);
                keySums.add_queries(shared, queries.q, piece.from, D);
            }
        }
    }

    if (MakesKeys && dk.wanted())
        keySums.write(shared, shape.scale(), Sums<Size>::key_of(0), 1, rows_of(dk, b, S, s, KvHeads, keyHead, D), piece.from, D);
    if (MakesValues && dv.wanted())
        valueSums.write(
            shared, 1, Sums<Size>::key_of(0), 1, rows_of(dv, b, S, s, KvHeads, keyHead, valueSize), piece.from, valueSize);
}

KERNEL __launch_bounds__(Threads, 3) attention_backward_queries_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int valueSize, int window, float rate, Stream stream, Target dq)
{
    attend_backward_queries<64>(dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, dq);
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_queries_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int valueSize, int window, float rate, Stream stream, Target dq)
{
    attend_backward_queries<128>(dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, dq);
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_keys_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int window, float rate, Stream stream, Target dk, Target dv)
{
    attend_backward_keys<64, true, true>(
        dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, D }, { rate, stream }, dk, dv);
}

KERNEL __launch_bounds__(Threads) attention_backward_keys_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int window, float rate, Stream stream, Target dk, Target dv)
{
    attend_backward_keys<128, true, true>(
        dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, D }, { rate, stream }, dk, dv);
}

// Where values have a size of their own: dk, with the blocks of its columns, and dv, with those of its.
KERNEL __launch_bounds__(Threads, 2) attention_backward_own_keys_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int valueSize, int window, float rate, Stream stream, Target dk)
{
    attend_backward_keys<64, true, false>(
        dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, dk, Target{ nullptr, 0 });
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_own_keys_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int valueSize, int window, float rate, Stream stream, Target dk)
{
    attend_backward_keys<128, true, false>(
        dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, dk, Target{ nullptr, 0 });
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_own_values_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int valueSize, int window, float rate, Stream stream, Target dv)
{
    attend_backward_keys<64, false, true>(
        dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, Target{ nullptr, 0 }, dv);
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_own_values_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    int T, int S, int H, int KvHeads, int D, int valueSize, int window, float rate, Stream stream, Target dv)
{
    attend_backward_keys<128, false, true>(
        dy, q, k, v, logSumExp, delta, { { T, S, H, KvHeads, D, window }, valueSize }, { rate, stream }, Target{ nullptr, 0 }, dv);
}

// ---- Sinks -----------------------------------------------------------------------------------------------------------------------------
// A logit per head that joins the softmax and whose share p = e^(sink − logSumExp) is dropped (gpt-oss). A softmax with one term more is
// the softmax without it times 1 − p, so attention is done before, and its backward goes by the new logSumExp and y. Bytes: y read and
// written once, and one number per query of each head.

// y (B, T, H, D) and logSumExp (B, H, T) in place, a warp per row. sinks (H)
KERNEL attention_sinks_forward(const float* sinks, int T, int H, int D, int rows, float* y, float* logSumExp)
{
    int n = blockIdx.x * (blockDim.x / WarpSize) + warp(), h = n % H, t = n / H % T, b = n / H / T;
    if (n >= rows)
        return;
    float* log = logSumExp + ((index_t)b * H + h) * T + t;
    float without = *log, ahead = sinks[h] - without, rest = 1 / (1 + expf(ahead));
    y += (index_t)n * D;
    for (int d = lane(); d < D; d += WarpSize)
        y[d] *= rest;
    __syncwarp(); // all have read it
    if (lane() == 0)
        *log = without + fmaxf(ahead, 0) + log1pf(expf(-fabsf(ahead)));
}

constexpr int SinkThreads = 256; // as in CudaBackend.Attention.cs

// dSinks[h] = −Σ over b and t of p·δ, a block per head. logSumExp, δ (B, H, T), with the sinks in both; sinks, dSinks (H)
KERNEL attention_sinks_backward(
    const float* sinks, const float* logSumExp, const float* delta, int B, int T, int H, Target dSinks)
{
    int h = blockIdx.x;
    float sink = sinks[h], sum = 0;
    for (int b = 0; b < B; b++)
    {
        index_t row = ((index_t)b * H + h) * T;
        for (int t = threadIdx.x; t < T; t += SinkThreads)
            sum -= expf(sink - logSumExp[row + t]) * delta[row + t];
    }

    sum = sum_block<SinkThreads>(sum);
    if (threadIdx.x == 0)
        dSinks.write(h, sum);
}
