// Attention's backward. A block owns 64 queries for dq, or 64 keys for dk and dv, and walks over the tiles that the mask
// leaves to them as the forward does (attention.cu): it makes the weights of a tile again from the scores and the saved log-sum-exp.
// Nothing is added by two blocks, so all sums have one order: no atomics.
//
// With P the weights, M the factors of dropout (0 or 1/(1 − rate)), and δ[t] = dy[t]·y[t]:
// dS = P·(M·(dy[t]·v[s]) − δ[t]),   dq[t] = Σ_s dS·k[s]/√D,   dk[s] = Σ_t dS·q[t]/√D,   dv[s] = Σ_t P·M·dy[t]
#include "attention.cuh"

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
    const float *logSumExp, *delta; // of all: a register for their row, not four for two addresses
    int row, start;

    DEVICE Queries(
        const float* qs, const float* dys, const float* logSumExp, const float* delta, const TileShape& shape, int b, int h, int t)
        : q(rows_of(qs, b, shape.T, t, shape.queryRow, h, shape.D)),
          dy(rows_of(dys, b, shape.T, t, shape.output_row(), h, shape.valueSize)), logSumExp(logSumExp), delta(delta),
          row((b * shape.H + h) * shape.T + t), start(t)
    {
    }

    // Of the first query and key s, in dropout.
    DEVICE index_t number(const TileShape& shape, int s) const { return (index_t)row * shape.S + s; }
};

// Of the tile of these queries and the 64 keys from `s` on: P·M into the tile, dS into slopes.
// The tile keeps P while the registers are full of products.
DEVICE void make_slopes(Shared& shared, const TileShape& shape, const Drop& drop, const Queries& queries, HeadRows k, HeadRows v, int s,
    float (&slopes)[Rows][Columns])
{
    drop.draw(shared, queries.number(shape, s), shape.S);
    multiply_rows(shared, queries.q, k, shape.D, slopes);
    float scale = shape.scale() * Log2E;
#pragma unroll
    for (int i = 0; i < Rows; i++)
    {
        int row = row_of(i), t = queries.start + row;
        float log = t < shape.T ? queries.logSumExp[queries.row + row] * Log2E : 0;
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
        float delta = queries.start + row < shape.T ? queries.delta[queries.row + row] : 0;
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
DEVICE void make_weights(Shared& shared, const TileShape& shape, const Drop& drop, const Queries& queries, HeadRows k, int s)
{
    drop.draw(shared, queries.number(shape, s), shape.S);
    float scores[Rows][Columns];
    multiply_rows(shared, queries.q, k, shape.D, scores);
    float scale = shape.scale() * Log2E;
#pragma unroll
    for (int i = 0; i < Rows; i++)
    {
        int row = row_of(i), t = queries.start + row;
        float log = t < shape.T ? queries.logSumExp[queries.row + row] * Log2E : 0;
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
    const float* delta, TileShape shape, Stream stream, Turn turn, Target dq)
{
    __shared__ Shared shared;
    int T = shape.T, S = shape.S, H = shape.H, D = shape.D;
    Drop drop{ shape.rate, stream };
    Piece piece(T, Size, D, true);
    int b = piece.head / H, h = piece.head % H, keyHead = shape.key_head(h), last = shape.position(min(piece.start + Tile, T) - 1);
    Queries queries(q, dy, logSumExp, delta, shape, b, h, piece.start);
    Sums<Size> sums;
    sums.clear();

    int low = shape.window > 0 ? max(0, shape.position(piece.start) + 1 - shape.window) : 0;
    for (int s = low / Tile * Tile; s <= last; s += Tile)
    {
        HeadRows keys = rows_of(k, b, S, s, shape.keyRow, keyHead, D);
        HeadRows values = rows_of(v, b, S, s, shape.valueRow, keyHead, shape.valueSize);
        float slopes[Rows][Columns];
        make_slopes(shared, shape, drop, queries, keys, values, s, slopes);
        put_tile(shared, slopes);
        sums.add_keys(shared, keys, piece.from, D);
    }

    TargetRows rows = rows_of(dq, b, T, piece.start, shape.queryRow, h, D);
    if (turn.wanted())
        sums.write_turned(shared, shape.scale(), row_of(0), Groups, rows, D, turn, piece.start);
    else
        sums.write(shared, shape.scale(), row_of(0), Groups, rows, piece.from, D);
}

// The keys of one key head meet the queries of all its heads, head by head, for dk, dv or both: the sums of both fill the registers, so
// that they are made together only where all sizes are one. Shapes as above; dk like k, dv like v
template <int Size, bool MakesKeys, bool MakesValues>
DEVICE void attend_backward_keys(const float* dy, const float* q, const float* k, const float* v, const float* logSumExp,
    const float* delta, TileShape shape, Stream stream, Turn turn, Target dk, Target dv)
{
    __shared__ Shared shared;
    int T = shape.T, S = shape.S, KvHeads = shape.KvHeads, D = shape.D, valueSize = shape.valueSize, group = shape.H / KvHeads;
    Drop drop{ shape.rate, stream };
    Piece piece(S, Size, MakesKeys ? D : valueSize, false);
    int b = piece.head / KvHeads, keyHead = piece.head % KvHeads, s = piece.start;
    HeadRows keys = rows_of(k, b, S, s, shape.keyRow, keyHead, D), values = rows_of(v, b, S, s, shape.valueRow, keyHead, valueSize);
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

    TargetRows rows = rows_of(dk, b, S, s, shape.keyRow, keyHead, D);
    if (MakesKeys && dk.wanted() && turn.wanted())
        keySums.write_turned(shared, shape.scale(), Sums<Size>::key_of(0), 1, rows, D, turn, s);
    else if (MakesKeys && dk.wanted())
        keySums.write(shared, shape.scale(), Sums<Size>::key_of(0), 1, rows, piece.from, D);
    if (MakesValues && dv.wanted())
        valueSums.write(
            shared, 1, Sums<Size>::key_of(0), 1, rows_of(dv, b, S, s, shape.valueRow, keyHead, valueSize), piece.from, valueSize);
}

KERNEL __launch_bounds__(Threads, 3) attention_backward_queries_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Turn turn, Target dq)
{
    attend_backward_queries<64>(dy, q, k, v, logSumExp, delta, shape, stream, turn, dq);
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_queries_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Turn turn, Target dq)
{
    attend_backward_queries<128>(dy, q, k, v, logSumExp, delta, shape, stream, turn, dq);
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_keys_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Turn turn, Target dk, Target dv)
{
    shape.valueSize = shape.D; // the host sees to that; a register less
    attend_backward_keys<64, true, true>(dy, q, k, v, logSumExp, delta, shape, stream, turn, dk, dv);
}

KERNEL __launch_bounds__(Threads) attention_backward_keys_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Turn turn, Target dk, Target dv)
{
    shape.valueSize = shape.D; // the host sees to that; a register less
    attend_backward_keys<128, true, true>(dy, q, k, v, logSumExp, delta, shape, stream, turn, dk, dv);
}

// Where values have a size of their own: dk, with the blocks of its columns, and dv, with those of its.
KERNEL __launch_bounds__(Threads, 2) attention_backward_own_keys_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Turn turn, Target dk)
{
    attend_backward_keys<64, true, false>(dy, q, k, v, logSumExp, delta, shape, stream, turn, dk, Target{ nullptr, 0 });
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_own_keys_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Turn turn, Target dk)
{
    attend_backward_keys<128, true, false>(dy, q, k, v, logSumExp, delta, shape, stream, turn, dk, Target{ nullptr, 0 });
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_own_values_64(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Target dv)
{
    attend_backward_keys<64, false, true>(dy, q, k, v, logSumExp, delta, shape, stream, Turn{}, Target{ nullptr, 0 }, dv);
}

KERNEL __launch_bounds__(Threads, 2) attention_backward_own_values_128(
    const float* dy, const float* q, const float* k, const float* v, const float* logSumExp, const float* delta,
    TileShape shape, Stream stream, Target dv)
{
    attend_backward_keys<128, false, true>(dy, q, k, v, logSumExp, delta, shape, stream, Turn{}, Target{ nullptr, 0 }, dv);
}
