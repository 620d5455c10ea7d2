// Attention on tensor cores (FlashAttention-2: Dao 2023), forward and backward. The idea is attention.cu's: a block owns rows of one head
// and walks over the tiles that the mask leaves to it, in order; nothing is added by two blocks, so sums have one order. Here a warp owns
// 16 of the rows. The products of a tile are mma.sync's, of float memory in TF32 or of bfloat16 memory, with float32 sums; the softmax and
// all that lies between two products is float32, on the sums where they are, in registers, and these are the next product's left operand.
// In bfloat16 that rounds the weights and their slopes, as everybody does.
//
// Shared memory has the block's own rows and one tile each of two kinds of others. While one kind is multiplied the copy of the other is
// under way: two barriers per tile, three where a tile is used twice. A tile's rows are 16 bytes longer than they need, so that nothing
// conflicts (tensor_cores.cuh). Blocks of the large sizes have more than 48 KB, which the launch asks for.
//
// Names: tf32 or bf16 says the memory and the products; 64, 128, 256 is the largest head, of keys and of values. Heads are multiples of 8
// and addresses of 16 bytes; the host sees to that. Global memory: own rows once; of the others two rows for each row of a visible tile, k
// and v of a key for y and dq, q and dy of a query for dk and dv.
#include "attention_tiles.cuh"

// Which rows of which head a block owns: it begins with those that see the most, so that the last blocks to run are short ones.
struct Piece
{
    int head, start; // head of all sequences, first row

    DEVICE Piece(int rows, int each, bool lastFirst)
    {
        int tiles = ceil_div(rows, each), heads = gridDim.x / tiles, tile = blockIdx.x / heads;
        head = blockIdx.x % heads;
        start = (lastFirst ? tiles - 1 - tile : tile) * each;
    }
};

// ---- Forward ---------------------------------------------------------------------------------------------------------------------------

template <class E, int Size, int Warps, int Keys>
struct Forward
{
    using Of = Tiles<E, Size>;
    static constexpr int Rows = WarpRows * Warps, Threads = WarpSize * Warps, N = Keys / 8;

    struct Memory
    {
        E queries[Rows * Of::Stride], keys[Keys * Of::Stride], values[Keys * Of::Stride];
        KeptKeys<Keys> kept[Warps];
    };

    float largest[2], total[2];  // of rows g and g + 8: the largest score so far; the sum of weights that this thread made
    Sum sums[Size / 8];

    // Scores of a tile, in powers of two, to weights; what was summed so far shrinks as the largest grows.
    DEVICE void make_weights(Sum (&scores)[N])
    {
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            float top = largest[half];
#pragma unroll
            for (int n = 0; n < N; n++)
                top = fmaxf(top, fmaxf(scores[n].of[2 * half], scores[n].of[2 * half + 1]));
            top = reduce_lanes<4>(top, Max());
            float shift = top == -Infinity ? 0 : top, shrink = exp2f(largest[half] - shift);
            largest[half] = top;
            total[half] *= shrink;
#pragma unroll
            for (int n = 0; n < Size / 8; n++)
                sums[n].of[2 * half] *= shrink, sums[n].of[2 * half + 1] *= shrink;
#pragma unroll
            for (int n = 0; n < N; n++)
#pragma unroll
                for (int i = 2 * half; i < 2 * half + 2; i++)
                    total[half] += scores[n].of[i] = exp2f(scores[n].of[i] - shift);
        }
    }

    // q (B, T, H, D), k (B, S, KvHeads, D), v (B, S, KvHeads, valueSize), y (B, T, H, valueSize), logSumExp (B, H, T)
    DEVICE void run(const E* q, const E* k, const E* v, const Shape& shape, const Stream& stream, E* y, float* logSumExp)
    {
        extern __shared__ float4 memory[];
        Memory& shared = *(Memory*)memory;
        int T = shape.T, S = shape.S, H = shape.H, D = shape.D, valueSize = shape.valueSize, window = shape.window;
        Piece piece(T, Rows, true);
        int b = piece.head / H, h = piece.head % H, keyHead = shape.key_head(h), row = WarpRows * warp();
        int end = shape.position(min(piece.start + Rows, T) - 1) + 1; // of the keys that are seen
        int low = window > 0 ? max(0, shape.position(piece.start) + 1 - window) / Keys * Keys : 0;
        float scale = shape.scale() * Log2E;
        clear(sums);
        largest[0] = largest[1] = -Infinity;
        total[0] = total[1] = 0;

        Of::template load<Rows, Threads>(shared.queries, HeadRows<const E>(q, b, T, piece.start, shape.queryRow, h, D), D);
        Of::template load<Keys, Threads>(shared.keys, HeadRows<const E>(k, b, S, low, shape.keyRow, keyHead, D), D);
        commit_copies();
#pragma unroll 1
        for (int s = low; s < end; s += Keys)
        {
            wait_for_copies<0>();
            __syncthreads(); // keys are here, and the last values have been read
            Of::template load<Keys, Threads>(shared.values, HeadRows<const E>(v, b, S, s, shape.valueRow, keyHead, valueSize), valueSize);
            commit_copies();
            if (shape.rate > 0)
                shared.kept[warp()].draw(stream, ((index_t)piece.head * T + piece.start + row) * S + s, S, shape.rate);
            Sum scores[N];
            Of::multiply(shared.queries + row * Of::Stride, shared.keys, D, scores);
#pragma unroll
            for (int n = 0; n < N; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    scores[n].of[i] *= scale;
            QuerySees sees(shape.position(piece.start + row), s, window);
            if (!sees.all(Keys))
                hide(scores, -Infinity, sees);
            make_weights(scores);
            if (shape.rate > 0)
                drop(scores, shared.kept[warp()], shape.kept_factor());

            wait_for_copies<0>();
            __syncthreads(); // values are here, and the keys have been read
            if (s + Keys < end)
            {
                Of::template load<Keys, Threads>(shared.keys, HeadRows<const E>(k, b, S, s + Keys, shape.keyRow, keyHead, D), D);
                commit_copies();
            }

            Of::template add<N, Size>(sums, scores, shared.values, valueSize);
        }

        float all[2];
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            all[half] = reduce_lanes<4>(total[half], Add());
            int t = piece.start + row + group_row() + 8 * half;
            if (t < T && group_column() == 0)
                logSumExp[(index_t)piece.head * T + t] = (largest[half] + log2f(all[half])) * Ln2;
        }

        HeadRows<E> outputs(y, b, T, piece.start, shape.output_row(), h, valueSize);
        write_rows(sums, 1 / all[0], 1 / all[1], PairTarget<E>{ y, 0 }, outputs, row, 0, valueSize);
    }
};

// ---- Backward --------------------------------------------------------------------------------------------------------------------------
// As in attention.cu. With P the weights, M the factors of dropout (0 or 1/(1 − rate)), and δ[t] = dy[t]·y[t]:
// dS = P·(M·(dy[t]·v[s]) − δ[t]),   dq[t] = Σ_s dS·k[s]/√D,   dk[s] = Σ_t dS·q[t]/√D,   dv[s] = Σ_t P·M·dy[t]

template <class E, int Size, int Warps, int Keys>
struct BackwardQueries
{
    using Of = Tiles<E, Size>;
    static constexpr int Rows = WarpRows * Warps, Threads = WarpSize * Warps, N = Keys / 8;

    struct Memory
    {
        E queries[Rows * Of::Stride], slopes[Rows * Of::Stride], keys[Keys * Of::Stride], values[Keys * Of::Stride];
        KeptKeys<Keys> kept[Warps];
    };

    // q, dq (B, T, H, D), k (B, S, KvHeads, D), dy (B, T, H, valueSize), v (B, S, KvHeads, valueSize), logSumExp, delta (B, H, T)
    DEVICE static void run(const E* dy, const E* q, const E* k, const E* v, const float* logSumExp, const float* delta, const Shape& shape,
        const Stream& stream, const Turn& turn, PairTarget<E> dq)
    {
        extern __shared__ float4 memory[];
        Memory& shared = *(Memory*)memory;
        int T = shape.T, S = shape.S, H = shape.H, D = shape.D, valueSize = shape.valueSize, window = shape.window;
        Piece piece(T, Rows, true);
        int b = piece.head / H, h = piece.head % H, keyHead = shape.key_head(h), row = WarpRows * warp();
        int end = shape.position(min(piece.start + Rows, T) - 1) + 1;
        int low = window > 0 ? max(0, shape.position(piece.start) + 1 - window) / Keys * Keys : 0;
        float scale = shape.scale() * Log2E, log[2], rest[2];
#pragma unroll
        for (int half = 0; half < 2; half++)
        {
            int t = piece.start + row + group_row() + 8 * half;
            index_t at = (index_t)piece.head * T + t;
            log[half] = t < T ? logSumExp[at] * Log2E : 0;
            rest[half] = t < T ? delta[at] : 0;
        }

        Of::template load<Rows, Threads>(
            shared.slopes, HeadRows<const E>(dy, b, T, piece.start, shape.output_row(), h, valueSize), valueSize);
        Of::template load<Rows, Threads>(shared.queries, HeadRows<const E>(q, b, T, piece.start, shape.queryRow, h, D), D);
        Of::template load<Keys, Threads>(shared.values, HeadRows<const E>(v, b, S, low, shape.valueRow, keyHead, valueSize), valueSize);
        commit_copies();
        Sum sums[Size / 8];
        clear(sums);
#pragma unroll 1
        for (int s = low; s < end; s += Keys)
        {
            wait_for_copies<0>();
            __syncthreads(); // values are here, and the last keys have been read
            Of::template load<Keys, Threads>(shared.keys, HeadRows<const E>(k, b, S, s, shape.keyRow, keyHead, D), D);
            commit_copies();
            if (shape.rate > 0)
                shared.kept[warp()].draw(stream, ((index_t)piece.head * T + piece.start + row) * S + s, S, shape.rate);
            Sum slopes[N], scores[N];
            Of::multiply(shared.slopes + row * Of::Stride, shared.values, valueSize, slopes);
            if (shape.rate > 0)
                drop(slopes, shared.kept[warp()], shape.kept_factor());

            wait_for_copies<0>();
            __syncthreads(); // keys are here, and the values have been read
            if (s + Keys < end)
            {
                HeadRows<const E> next(v, b, S, s + Keys, shape.valueRow, keyHead, valueSize);
                Of::template load<Keys, Threads>(shared.values, next, valueSize);
                commit_copies();
            }

            Of::multiply(shared.queries + row * Of::Stride, shared.keys, D, scores);
#pragma unroll
            for (int n = 0; n < N; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    slopes[n].of[i] = exp2f(scores[n].of[i] * scale - log[i / 2]) * (slopes[n].of[i] - rest[i / 2]);
            QuerySees sees(shape.position(piece.start + row), s, window);
            if (!sees.all(Keys))
                hide(slopes, 0, sees);
            Of::template add<N, Size>(sums, slopes, shared.keys, D);
        }

        HeadRows<E> rows(dq.data, b, T, piece.start, shape.queryRow, h, D);
        if (turn.wanted())
            write_turned<Size>(sums, shape.scale(), shared.queries + row * Of::Stride, turn, piece.start + row, rows, row, 0, D);
        else
            write_rows(sums, shape.scale(), shape.scale(), dq, rows, row, 0, D);
    }
};

// The keys of one key head meet the queries of all its heads, head by head. `Columns` of dk and dv fit the registers: a larger head has
// blocks for each so many, which make the weights again.
template <class E, int Size, int Columns, int Warps, int Queries>
struct BackwardKeys
{
    using Of = Tiles<E, Size>;
    static constexpr int Rows = WarpRows * Warps, Threads = WarpSize * Warps, N = Queries / 8;

    struct Memory
    {
        E keys[Rows * Of::Stride], values[Rows * Of::Stride], queries[Queries * Of::Stride], slopes[Queries * Of::Stride];
        float log[Queries], delta[Queries];
        KeptQueries<Queries> kept[Warps];
    };

    // The queries of one head from `t` on, and what is saved of them.
    DEVICE static void load_queries(
        Memory& shared, const E* q, const float* logSumExp, const float* delta, const Shape& shape, int b, int h, int t)
    {
        Of::template load<Queries, Threads>(shared.queries, HeadRows<const E>(q, b, shape.T, t, shape.queryRow, h, shape.D), shape.D);
        index_t first = ((index_t)b * shape.H + h) * shape.T + t;
        static_assert(2 * Queries <= Threads, "a thread per number");
        int i = threadIdx.x % Queries;
        bool exists = t + i < shape.T;
        index_t at = first + (exists ? i : 0);
        if (threadIdx.x < Queries)
            copy_4(&shared.log[i], logSumExp + at, exists);
        else if (threadIdx.x < 2 * Queries)
            copy_4(&shared.delta[i], delta + at, exists);
    }

    // Shapes as above; dk like k, dv like v
    DEVICE static void run(const E* dy, const E* q, const E* k, const E* v, const float* logSumExp, const float* delta, const Shape& shape,
        const Stream& stream, const Turn& turn, PairTarget<E> dk, PairTarget<E> dv)
    {
        extern __shared__ float4 memory[];
        Memory& shared = *(Memory*)memory;
        int T = shape.T, S = shape.S, H = shape.H, KvHeads = shape.KvHeads, D = shape.D, valueSize = shape.valueSize, window = shape.window;
        Piece piece(S, Rows, false);
        int parts = ceil_div(max(D, valueSize), Columns), part = Columns < Size ? piece.head % parts * Columns : 0,
            keyHead = Columns < Size ? piece.head / parts : piece.head, b = keyHead / KvHeads, row = WarpRows * warp();
        keyHead %= KvHeads;
        int first = max(0, piece.start - shape.position(0)) / Queries * Queries,
            end = window > 0 ? min(T, piece.start + Rows - 1 + window - shape.position(0)) : T;
        int group = H / KvHeads, h = keyHead * group, t = first, left = first < end ? group * ceil_div(end - first, Queries) : 0;
        float scale = shape.scale() * Log2E;
        Sum keySums[Columns / 8], valueSums[Columns / 8];
        clear(keySums);
        clear(valueSums);

        if (left > 0)
        {
            Of::template load<Rows, Threads>(shared.keys, HeadRows<const E>(k, b, S, piece.start, shape.keyRow, keyHead, D), D);
            Of::template load<Rows, Threads>(
                shared.values, HeadRows<const E>(v, b, S, piece.start, shape.valueRow, keyHead, valueSize), valueSize);
            load_queries(shared, q, logSumExp, delta, shape, b, h, t);
            commit_copies();
        }

#pragma unroll 1
        for (; left > 0; left--)
        {
            wait_for_copies<0>();
            __syncthreads(); // queries are here, and the last slopes have been read
            Of::template load<Queries, Threads>(shared.slopes, HeadRows<const E>(dy, b, T, t, shape.output_row(), h, valueSize), valueSize);
            commit_copies();
            if (shape.rate > 0)
            {
                index_t number = (((index_t)b * H + h) * T + t) * S + piece.start + row;
                shared.kept[warp()].draw(stream, number, S, shape.rate);
            }

            Sum weights[N], slopes[N];
            Of::multiply(shared.keys + row * Of::Stride, shared.queries, D, weights);
#pragma unroll
            for (int n = 0; n < N; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    weights[n].of[i] = exp2f(weights[n].of[i] * scale - shared.log[8 * n + group_column() + i % 2] * Log2E);
            KeyIsSeen sees(shape.position(t), piece.start + row, window, T - t);
            if (!sees.all(Queries))
                hide(weights, 0, sees);

            wait_for_copies<0>();
            __syncthreads(); // slopes are here
            Of::multiply(shared.values + row * Of::Stride, shared.slopes, valueSize, slopes);
            if (shape.rate > 0)
                drop(slopes, shared.kept[warp()], shape.kept_factor());
#pragma unroll
            for (int n = 0; n < N; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    slopes[n].of[i] = weights[n].of[i] * (slopes[n].of[i] - shared.delta[8 * n + group_column() + i % 2]);
            if (shape.rate > 0)
                drop(weights, shared.kept[warp()], shape.kept_factor());
            if (dk.wanted() && part < D)
                Of::template add<N, Columns>(keySums, slopes, shared.queries + part, D - part);

            t += Queries;
            if (t >= end)
                t = first, h++;
            __syncthreads(); // the queries have been read
            if (left > 1)
            {
                load_queries(shared, q, logSumExp, delta, shape, b, h, t);
                commit_copies();
            }

            if (dv.wanted() && part < valueSize)
                Of::template add<N, Columns>(valueSums, weights, shared.slopes + part, valueSize - part);
        }

        HeadRows<E> rows(dk.data, b, S, piece.start, shape.keyRow, keyHead, D);
        if (dk.wanted() && turn.wanted())
            write_turned<Size>(keySums, shape.scale(), shared.keys + row * Of::Stride, turn, piece.start + row, rows, row, part, D);
        else if (dk.wanted())
            write_rows(keySums, shape.scale(), shape.scale(), dk, rows, row, part, D);
        if (dv.wanted())
            write_rows(
                valueSums, 1, 1, dv, HeadRows<E>(dv.data, b, S, piece.start, shape.valueRow, keyHead, valueSize), row, part, valueSize);
    }
};

// δ (B, H, T), a warp per row. dy, y (B, T, H, D), D of values
KERNEL attention_backward_delta_bf16(const bfloat16* dy, const bfloat16* y, int T, int H, int D, int rows, float* delta)
{
    int n = blockIdx.x * (blockDim.x / WarpSize) + warp(), h = n % H, t = n / H % T, b = n / H / T;
    if (n >= rows)
        return;
    const uint32 *slopes = (const uint32*)(dy + (index_t)n * D), *values = (const uint32*)(y + (index_t)n * D);
    float sum = 0;
    for (int d = lane(); d < D / 2; d += WarpSize)
    {
        uint32 slope = slopes[d], value = values[d];
        sum = fmaf(first_of_pair(slope), first_of_pair(value), sum);
        sum = fmaf(second_of_pair(slope), second_of_pair(value), sum);
    }

    sum = sum_warp(sum);
    if (lane() == 0)
        delta[((index_t)b * H + h) * T + t] = sum;
}

// ---- Kernels: the warps and the rows of a tile that leave the larger sizes under 99 KB of shared memory ---------------------------------
// The host knows them, in CudaBackend.Attention.TensorCores.cs.

#define FORWARD(NAME, E, SIZE, WARPS, KEYS) \
    KERNEL __launch_bounds__(32 * WARPS) NAME(const E* q, const E* k, const E* v, Shape shape, Stream stream, E* y, float* logSumExp) \
    { \
        Forward<E, SIZE, WARPS, KEYS> forward; \
        forward.run(q, k, v, shape, stream, y, logSumExp); \
    }

#define BACKWARD_QUERIES(NAME, E, SIZE, WARPS, KEYS) \
    KERNEL __launch_bounds__(32 * WARPS) NAME(const E* dy, const E* q, const E* k, const E* v, const float* logSumExp, \
        const float* delta, Shape shape, Stream stream, Turn turn, PairTarget<E> dq) \
    { \
        BackwardQueries<E, SIZE, WARPS, KEYS>::run(dy, q, k, v, logSumExp, delta, shape, stream, turn, dq); \
    }

#define BACKWARD_KEYS(NAME, E, SIZE, COLUMNS, WARPS, QUERIES) \
    KERNEL __launch_bounds__(32 * WARPS) NAME(const E* dy, const E* q, const E* k, const E* v, const float* logSumExp, \
        const float* delta, Shape shape, Stream stream, Turn turn, PairTarget<E> dk, PairTarget<E> dv) \
    { \
        BackwardKeys<E, SIZE, COLUMNS, WARPS, QUERIES>::run(dy, q, k, v, logSumExp, delta, shape, stream, turn, dk, dv); \
    }

FORWARD(attention_forward_tf32_64, float, 64, 4, 64)
FORWARD(attention_forward_tf32_128, float, 128, 4, 32)
FORWARD(attention_forward_tf32_256, float, 256, 4, 16)
FORWARD(attention_forward_bf16_64, bfloat16, 64, 4, 64)
FORWARD(attention_forward_bf16_128, bfloat16, 128, 4, 64)
FORWARD(attention_forward_bf16_256, bfloat16, 256, 4, 32)
BACKWARD_QUERIES(attention_backward_queries_tf32_64, float, 64, 4, 32)
BACKWARD_QUERIES(attention_backward_queries_tf32_128, float, 128, 4, 16)
BACKWARD_QUERIES(attention_backward_queries_tf32_256, float, 256, 2, 16)
BACKWARD_QUERIES(attention_backward_queries_bf16_64, bfloat16, 64, 4, 64)
BACKWARD_QUERIES(attention_backward_queries_bf16_128, bfloat16, 128, 4, 32)
BACKWARD_QUERIES(attention_backward_queries_bf16_256, bfloat16, 256, 4, 16)
BACKWARD_KEYS(attention_backward_keys_tf32_64, float, 64, 64, 4, 32)
BACKWARD_KEYS(attention_backward_keys_tf32_128, float, 128, 128, 4, 16)
BACKWARD_KEYS(attention_backward_keys_tf32_256, float, 256, 128, 2, 16)
BACKWARD_KEYS(attention_backward_keys_bf16_64, bfloat16, 64, 64, 4, 32)
BACKWARD_KEYS(attention_backward_keys_bf16_128, bfloat16, 128, 128, 4, 32)
BACKWARD_KEYS(attention_backward_keys_bf16_256, bfloat16, 256, 128, 4, 16)
