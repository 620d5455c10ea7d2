// Products of experts in float32 whose sizes only the device knows: the grid has room for any routing, and each block finds its expert.
//
// A block makes a tile of Height rows by Width columns of the result, a thread 8 by 8 of it in registers. Tiles of the two sides, Depth of
// the inner dimension at once, lie in shared memory with the inner dimension first: a step of it is four 16-byte reads for 64
// multiply-adds. Two buffers: while one is multiplied, the next is on its way from global memory through registers. Each element is one
// sum in the order of its inner dimension, whatever the tile; only the gradient of weights cuts long sums, into pieces of rows.
//
// A warp makes 32 rows by 64 columns, as 4 by 8 threads. Memory that runs along the inner dimension is transposed on its way in; there
// eights of lines change places by their step, so that neither side meets its banks twice.
#include "grouped_tiles.cuh"

constexpr int Depth = 8;                       // steps of the inner dimension in shared memory at once
constexpr int WarpRows = 32, WarpColumns = 64; // of the result
constexpr int FoursOfDepth = Depth / 4, Shift = WarpSize / FoursOfDepth;

// The four elements at x, of which there are `left`; zero behind them.
DEVICE Four fetch(const float* x, int left, bool aligned)
{
    float4 all = make_float4(0, 0, 0, 0);
    if (aligned)
    {
        if (left > 0)
            all = *(const float4*)x;
    }
    else
    {
        all.x = left > 0 ? x[0] : 0.0f;
        all.y = left > 1 ? x[1] : 0.0f;
        all.z = left > 2 ? x[2] : 0.0f;
        all.w = left > 3 ? x[3] : 0.0f;
    }

    return {all.x, all.y, all.z, all.w};
}

// One side of a product whose inner dimension runs along memory: Lines rows of it.
template <int Lines, int Threads>
struct AlongInner
{
    static constexpr bool Swizzled = true;
    static constexpr int Count = Lines * FoursOfDepth / Threads, Stride = Threads / FoursOfDepth;
    const float* lines[Count]; // at the thread's first step; null: there is no such line
    int left;                  // steps from there on
    bool aligned;
    Four held[Count];

    // x (any, inner), of it the lines first to before end, or where tokens are given those that they name.
    DEVICE AlongInner(const float* x, const int* tokens, int first, int end, int inner, bool aligned)
        : left(inner - part() * 4), aligned(aligned)
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
        {
            int line = first + (int)threadIdx.x / FoursOfDepth + i * Stride;
            int row = row_of(tokens, line, end);
            lines[i] = row >= 0 ? x + (index_t)row * inner + part() * 4 : nullptr;
        }
    }

    DEVICE void load(int step)
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
            held[i] = fetch(lines[i] + step, lines[i] ? left - step : 0, aligned);
    }

    DEVICE void store(float (*tile)[Lines]) const
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
        {
            int line = ((int)threadIdx.x / FoursOfDepth + i * Stride) ^ (Shift * part());
#pragma unroll
            for (int j = 0; j < 4; j++)
                tile[4 * part() + j][line] = held[i][j];
        }
    }

private:
    DEVICE static int part() { return (int)threadIdx.x % FoursOfDepth; } // which four steps of the tile are this thread's
};

// One side of a product whose lines run along memory: Lines columns of it.
template <int Lines, int Threads>
struct AlongLines
{
    static constexpr bool Swizzled = false;
    static constexpr int Fours = Lines / 4, Count = Depth * Fours / Threads, Stride = Threads / Fours;
    const float* x;    // at the thread's column
    const int* tokens;
    int row, end, columns, left; // the thread's first inner row, the end of them; columns, and those from the thread's on
    bool aligned;
    Four held[Count];

    // x (any, columns), of it the columns from `column` and the rows first to before end, or where tokens are given those that they name.
    DEVICE AlongLines(const float* x, const int* tokens, int first, int end, int column, int columns, bool aligned)
        : tokens(tokens), row(first + (int)threadIdx.x / Fours), end(end), columns(columns), aligned(aligned)
    {
        int own = column + 4 * ((int)threadIdx.x % Fours);
        this->x = x + own;
        left = columns - own;
    }

    DEVICE void load(int step)
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
        {
            int n = row_of(tokens, row + step + i * Stride, end);
            held[i] = n >= 0 ? fetch(x + (index_t)n * columns, left, aligned) : four(0.0f);
        }
    }

    DEVICE void store(float (*tile)[Lines]) const
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
            store_four(tile[(int)threadIdx.x / Fours + i * Stride], 4 * ((int)threadIdx.x % Fours), held[i]);
    }

private:
    DEVICE static void store_four(float* row, int place, const Four& value)
    {
        *(float4*)(row + place) = make_float4(value[0], value[1], value[2], value[3]);
    }
};

// Four lines of one step of a tile.
template <bool Swizzled, int Lines>
DEVICE Four read_tile(const float (*tile)[Lines], int step, int line)
{
    float4 all = *(const float4*)&tile[step][Swizzled ? line ^ (Shift * (step / 4)) : line];
    return {all.x, all.y, all.z, all.w};
}

template <int Height, int Width>
union alignas(16) Tiles
{
    struct { float left[2][Depth][Height], right[2][Depth][Width]; };
    float4 sums[Height * Width / 8]; // half of the result
};

// The sums of a thread: rows 4i and 16 + 4i of its warp, columns 4j and 32 + 4j, each with the three behind it.
template <int Height, int Width>
struct Sums
{
    static constexpr int Threads = Height * Width / 64, WarpsAcross = Width / WarpColumns, Halves = 2, FoursOfHalf = 8;
    float sum[8][8];

    DEVICE static int row(int r) { return warp() / WarpsAcross * WarpRows + r / 4 * 16 + lane() / 8 * 4 + r % 4; }
    DEVICE static int column(int half) { return warp() % WarpsAcross * WarpColumns + half * 32 + lane() % 8 * 4; }

    // sum += left·right over all `inner` steps.
    template <class Left, class Right>
    DEVICE void add(Left& left, Right& right, int inner, Tiles<Height, Width>& tiles)
    {
#pragma unroll
        for (int r = 0; r < 8; r++)
#pragma unroll
            for (int c = 0; c < 8; c++)
                sum[r][c] = 0.0f;
        left.load(0);
        right.load(0);
        left.store(tiles.left[0]);
        right.store(tiles.right[0]);
        __syncthreads();
        for (int step = 0, now = 0; step < inner; step += Depth, now ^= 1)
        {
            bool more = step + Depth < inner;
            if (more)
            {
                left.load(step + Depth);
                right.load(step + Depth);
            }

            add_tile<Left::Swizzled, Right::Swizzled>(tiles.left[now], tiles.right[now]);
            if (more)
            {
                left.store(tiles.left[now ^ 1]);
                right.store(tiles.right[now ^ 1]);
            }

            __syncthreads();
        }
    }

    // Calls write(row, column, four) for all sums. They pass through shared memory, where a loop can index them, so that what follows a
    // sum is in the code twice and not 16 times. The tiles are no longer needed.
    template <class Write>
    DEVICE void each(Tiles<Height, Width>& tiles, Write write) const
    {
        float4* own = tiles.sums + threadIdx.x; // and each Threads behind it: no other thread's
#pragma unroll
        for (int half = 0; half < Halves; half++)
        {
#pragma unroll
            for (int r = 0; r < FoursOfHalf; r++)
                own[r * Threads] = make_float4(sum[r][4 * half], sum[r][4 * half + 1], sum[r][4 * half + 2], sum[r][4 * half + 3]);
#pragma unroll 1
            for (int r = 0; r < FoursOfHalf; r++)
            {
                float4 all = own[r * Threads];
                write(row(r), column(half), Four{all.x, all.y, all.z, all.w});
            }
        }
    }

private:
    template <bool LeftSwizzled, bool RightSwizzled>
    DEVICE void add_tile(const float (*left)[Height], const float (*right)[Width])
    {
        int rows = row(0), columns = column(0);
#pragma unroll
        for (int step = 0; step < Depth; step++)
        {
            Four a[2], b[2];
#pragma unroll
            for (int half = 0; half < 2; half++)
            {
                a[half] = read_tile<LeftSwizzled>(left, step, rows + 16 * half);
                b[half] = read_tile<RightSwizzled>(right, step, columns + 32 * half);
            }

#pragma unroll
            for (int r = 0; r < 8; r++)
#pragma unroll
                for (int c = 0; c < 8; c++)
                    sum[r][c] = fmaf(a[r / 4][r % 4], b[c / 4][c % 4], sum[r][c]);
        }
    }
};

template <int S>
struct InFloat32
{
    using Element = float;
    using Output = float;
    static constexpr int Size = S, Unit = 4;
    using Sums = ::Sums<S, S>;
    using Tiles = ::Tiles<S, S>;
    using AlongInner = ::AlongInner<S, Sums::Threads>;
    using AlongLines = ::AlongLines<S, Sums::Threads>;
};

using Small = InFloat32<64>;
using Large = InFloat32<LargeSize>;
GROUPED_PRODUCTS(64, Small, 64, 6)
GROUPED_PRODUCTS(128, Large, 256, 2)

// See add_pieces in grouped_tiles.cuh.
KERNEL grouped_add_pieces(const float* parts, const int* offsets, int E, int N, int pieceRows, index_t size, float* dw)
{
    add_pieces(parts, offsets, E, N, pieceRows, size, dw);
}
