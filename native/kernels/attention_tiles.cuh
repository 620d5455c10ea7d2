// What the attention kernels on tensor cores are made of: tiles of rows of a head in shared memory, their products, and what lies between
// two products: mask, dropout. The kernels are in attention.sm_80.cu.
#pragma once
#include "attention_shape.cuh"
#include "tensor_cores.cuh"

constexpr float Log2E = 1.44269504f, Ln2 = 0.693147181f;
constexpr int WarpRows = 16;            // rows of a tile that a warp owns
constexpr int Part = 64;                // columns are multiplied by so many: those of a tile beyond the head's size are zeros up to there

// An output of the products' type, as the host's Target: stored or added to.
template <class E>
struct PairTarget
{
    E* data;
    int adds;

    DEVICE bool wanted() const { return data != nullptr; }
};

DEVICE void write_pair(PairTarget<float> y, index_t i, float first, float second)
{
    float2& at = *(float2*)(y.data + i);
    at = y.adds ? make_float2(at.x + first, at.y + second) : make_float2(first, second);
}

DEVICE void write_pair(PairTarget<bfloat16> y, index_t i, float first, float second)
{
    uint32& at = *(uint32*)(y.data + i);
    at = y.adds ? to_bfloat16_pair(first_of_pair(at) + first, second_of_pair(at) + second) : to_bfloat16_pair(first, second);
}

// The rows of one head of x (B, length, row) from row `from` on, `row` elements apart; the heads are the first columns of a row.
template <class T>
struct HeadRows
{
    T* first;
    int distance, count;

    DEVICE HeadRows(T* x, int b, int length, int from, int row, int head, int D)
        : first(x + ((index_t)b * length + from) * row + head * D), distance(row), count(length - from)
    {
    }
};

// ---- Tiles -----------------------------------------------------------------------------------------------------------------------------

template <class E, int Size>
struct Tiles
{
    using F = Fragments<E>;
    static constexpr int Stride = F::padded(Size), Units = Size / F::Unit;

    // Begins to copy so many rows; zeros stand for rows and columns that are not there. All threads of the block come here.
    template <int Rows, int Threads>
    DEVICE static void load(E* tile, HeadRows<const E> rows, int D)
    {
        constexpr int Step = Threads / Units;
        static_assert(Threads % Units == 0 && Rows % Step == 0, "threads share the units of a row evenly");
        int c = threadIdx.x % Units * F::Unit;
        if (Size > Part && c >= (D + Part - 1) / Part * Part)
            return;
        const E* from = rows.first + c;
        tile += c;
#pragma unroll 4
        for (int r = threadIdx.x / Units; r < Rows; r += Step)
        {
            bool exists = c < D && r < rows.count;
            copy_16(tile + r * Stride, exists ? from + (index_t)r * rows.distance : rows.first, exists);
        }
    }

    // products = left·rightᵀ of the warp's 16 rows and 8·N others, over D.
    template <int N>
    DEVICE static void multiply(const E* left, const E* right, int D, Sum (&products)[N])
    {
#pragma unroll
        for (int n = 0; n < N; n++)
            products[n] = {};
#pragma unroll 2
        for (int d = 0; d < D; d += F::Step)
        {
            Left a = F::left(left + d, Stride);
#pragma unroll
            for (int n = 0; n < N; n += 2)
            {
                Right first, second;
                F::right(right + 8 * n * Stride + d, Stride, first, second);
                F::multiply_add(products[n], a, first);
                F::multiply_add(products[n + 1], a, second);
            }
        }
    }

    // sums += weights·x: weights of the warp's 16 rows and 8·N others, x those others, `Columns` of its columns.
    template <int N, int Columns>
    DEVICE static void add(Sum (&sums)[Columns / 8], const Sum (&weights)[N], const E* x, int D)
    {
#pragma unroll
        for (int from = 0; from < Columns; from += Part)
        {
            if (from > 0 && from >= D)
                break;
            add_part(&sums[from / 8], weights, x + from);
        }
    }

private:
    template <int N> DEVICE static void add_part(Sum* sums, const Sum (&weights)[N], const float* x)
    {
#pragma unroll
        for (int k = 0; k < N; k++)
        {
            Left a = F::left_of(weights[k]);
#pragma unroll
            for (int n = 0; n < Part / 8; n++)
                F::multiply_add(sums[n], a, F::right_by_inner(x + 8 * k * Stride + 8 * n, Stride));
        }
    }

    template <int N> DEVICE static void add_part(Sum* sums, const Sum (&weights)[N], const bfloat16* x)
    {
#pragma unroll
        for (int k = 0; k < N; k += 2)
        {
            Left a = F::left_of(weights[k], weights[k + 1]);
#pragma unroll
            for (int n = 0; n < Part / 8; n += 2)
            {
                Right first, second;
                F::right_by_inner(x + 8 * k * Stride + 8 * n, Stride, first, second);
                F::multiply_add(sums[n], a, first);
                F::multiply_add(sums[n + 1], a, second);
            }
        }
    }
};

template <int N> DEVICE void clear(Sum (&sums)[N])
{
#pragma unroll
    for (int n = 0; n < N; n++)
        sums[n] = {};
}

// Times factors of rows g and g + 8, to the warp's rows of y from row `row` on and its columns `from` to before D.
template <class E, int N>
DEVICE void write_rows(const Sum (&sums)[N], float factor, float factorBelow, PairTarget<E> y, HeadRows<E> rows, int row, int from, int D)
{
#pragma unroll
    for (int half = 0; half < 2; half++)
    {
        int r = row + group_row() + 8 * half;
        if (r >= rows.count)
            break;
        index_t start = rows.first - y.data + (index_t)r * rows.distance + from + group_column();
        float times = half == 0 ? factor : factorBelow;
#pragma unroll
        for (int n = 0; n < N; n++)
            if (from + 8 * n < D)
                write_pair(y, start + 8 * n, sums[n].of[2 * half] * times, sums[n].of[2 * half + 1] * times);
    }
}

DEVICE void put_pair(float* at, float first, float second) { *(float2*)at = make_float2(first, second); }
DEVICE void put_pair(bfloat16* at, float first, float second) { *(uint32*)at = to_bfloat16_pair(first, second); }

// The same, turned back: by way of a tile, since pairs are in two lanes. Its rows are the warp's own, which nobody reads any more, the
// first of them at `position`. In bfloat16 a gradient is rounded before it is turned too, as where that is a pass of its own. It is stored,
// never added; the host sees to that. (Once per block, in float two lanes of put_pair meet in a bank.)
template <int Size, class E, int N>
DEVICE void write_turned(
    const Sum (&sums)[N], float factor, E* tile, const Turn& turn, int position, HeadRows<E> rows, int row, int from, int D)
{
    constexpr int Stride = Tiles<E, Size>::Stride;
    __syncwarp(); // all have read their fragments
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int n = 0; n < N; n++)
            put_pair(
                tile + (group_row() + 8 * half) * Stride + 8 * n + group_column(), sums[n].of[2 * half] * factor,
                sums[n].of[2 * half + 1] * factor);
    __syncwarp();
#pragma unroll 1
    for (int r = 0; r < min(WarpRows, rows.count - row); r++)
    {
        E* to = rows.first + (index_t)(row + r) * rows.distance;
        turn.back(tile + r * Stride - from, position + r, from, min(from + 8 * N, D), [&](int c, float x) { to[c] = narrow<E>(x); });
    }
}

// ---- Mask ------------------------------------------------------------------------------------------------------------------------------

// Sees(row, column) of the warp's 16 rows and 8·N columns; where it does not, products become `hidden`.
template <int N, class Sees>
DEVICE void hide(Sum (&products)[N], float hidden, Sees sees)
{
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            if (!sees(group_row() + 8 * (i / 2), 8 * n + group_column() + i % 2))
                products[n].of[i] = hidden;
}

// Rows are queries from position `position` on, columns keys from `s` on.
struct QuerySees
{
    int ahead, window; // position − s of row 0

    DEVICE QuerySees(int position, int s, int window) : ahead(position - s), window(window) {}
    DEVICE bool operator()(int row, int column) const
    {
        int distance = ahead + row - column;
        return distance >= 0 && (window == 0 || distance < window);
    }

    // Whether each of 16 rows sees each of `keys` columns.
    DEVICE bool all(int keys) const { return ahead >= keys - 1 && (window == 0 || ahead + WarpRows - 1 < window); }
};

// Rows are keys, columns queries, `count` of them.
struct KeyIsSeen
{
    int ahead, window, count; // position of column 0 − key of row 0

    DEVICE KeyIsSeen(int position, int s, int window, int count) : ahead(position - s), window(window), count(count) {}
    DEVICE bool operator()(int row, int column) const
    {
        int distance = ahead + column - row;
        return distance >= 0 && (window == 0 || distance < window) && column < count;
    }

    DEVICE bool all(int queries) const
    {
        return ahead >= WarpRows - 1 && (window == 0 || ahead + queries - 1 < window) && queries <= count;
    }
};

// ---- Dropout ---------------------------------------------------------------------------------------------------------------------------
// The number of query t of head h (of all sequences) and key s is (h·T + t)·S + s. A warp draws what it needs, four neighbouring keys at
// a time, into bytes of shared memory: bit i says whether key 4·byte + i is kept. It draws between barriers of the block that stand between
// the readers of one tile and the next draw.

DEVICE unsigned char kept_of_four(const Stream& stream, index_t number, float rate)
{
    uint4 words = stream.words(stream.first + number);
    return (Stream::to_uniform(words.x) >= rate) | (Stream::to_uniform(words.y) >= rate) << 1 | (Stream::to_uniform(words.z) >= rate) << 2
        | (Stream::to_uniform(words.w) >= rate) << 3;
}

// Rows are 16 queries, the first of which has number `first` with the first of `Keys` keys: Keys / 4 bytes per query.
template <int Keys>
struct KeptKeys
{
    unsigned char bytes[WarpRows * Keys / 4];

    DEVICE void draw(const Stream& stream, index_t first, int S, float rate)
    {
        constexpr int Fours = Keys / 4;
#pragma unroll 1
        for (int i = lane(); i < WarpRows * Fours; i += WarpSize)
            bytes[i] = kept_of_four(stream, first + (index_t)(i / Fours) * S + 4 * (i % Fours), rate);
        __syncwarp();
    }

    DEVICE bool has(int row, int column) const { return bytes[(row * Keys + column) / 4] >> column % 4 & 1; }
};

// Rows are 16 keys, columns `Queries` queries: 4 bytes per query.
template <int Queries>
struct KeptQueries
{
    unsigned char bytes[Queries * WarpRows / 4];

    DEVICE void draw(const Stream& stream, index_t first, int S, float rate)
    {
#pragma unroll 1
        for (int i = lane(); i < Queries * WarpRows / 4; i += WarpSize)
            bytes[i] = kept_of_four(stream, first + (index_t)(i / 4) * S + 4 * (i % 4), rate);
        __syncwarp();
    }

    DEVICE bool has(int row, int column) const { return bytes[column * 4 + row / 4] >> row % 4 & 1; }
};

// The factors of dropout: 0 or 1 / (1 − rate).
template <int N, class Kept>
DEVICE void drop(Sum (&weights)[N], const Kept& kept, float factor)
{
#pragma unroll
    for (int n = 0; n < N; n++)
#pragma unroll
        for (int i = 0; i < 4; i++)
            weights[n].of[i] *= kept.has(group_row() + 8 * (i / 2), 8 * n + group_column() + i % 2) ? factor : 0;
}
