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
constexpr int LargeSize = 128;                 // of a tile whose sides' rows must all begin at multiples of 16 bytes
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
            lines[i] = line < end ? x + (index_t)(tokens ? tokens[line] : line) * inner + part() * 4 : nullptr;
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
            int n = row + step + i * Stride;
            held[i] = n < end ? fetch(x + (index_t)(tokens ? tokens[n] : n) * columns, left, aligned) : four(0.0f);
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

// y[n] = op(w[e])·x[n] for the rows n of each expert, with what follows; zero for unassigned rows where it is stored.
// x (N, inner), or (T, inner) with the token of each row; w (E, columns, inner), where WeightsAlongInner, else (E, inner, columns).
// A block per tile of rows and tile of columns, columns first: neighbours share their rows of x.
template <int Size, bool WeightsAlongInner>
DEVICE void multiply_rows(
    const float* x, const int* tokens, const float* w, const int* offsets, int E, int N, int inner, int columns, const Target& y,
    const Tail& tail)
{
    using Result = Sums<Size, Size>;
    __shared__ Tiles<Size, Size> tiles;
    int tilesAcross = ceil_div(columns, Size), column = (int)blockIdx.x % tilesAcross * Size;
    RowTile tile = find_tile(offsets, E, N, Size, 0, (int)blockIdx.x / tilesAcross);
    bool unassigned = tile.expert >= E;
    if (tile.rows() <= 0 || (unassigned && y.adds))
        return;
    Result result;
    const float* matrix = w + (unassigned ? 0 : (index_t)tile.expert * inner * columns);
    int steps = unassigned ? 0 : inner;
    bool aligned = Size == LargeSize || (inner % 4 == 0 && (WeightsAlongInner || columns % 4 == 0) && is_aligned(x, 16) && is_aligned(w, 16));
    AlongInner<Size, Result::Threads> left(x, tokens, tile.first, unassigned ? tile.first : tile.end, inner, aligned);
    if constexpr (WeightsAlongInner)
    {
        AlongInner<Size, Result::Threads> right(matrix, nullptr, column, unassigned ? column : columns, inner, aligned);
        result.add(left, right, steps, tiles);
    }
    else
    {
        AlongLines<Size, Result::Threads> right(matrix, nullptr, 0, steps, column, columns, aligned);
        result.add(left, right, steps, tiles);
    }

    result.each(tiles, [&](int r, int c, const Four& value) {
        if (r < tile.rows() && column + c < columns)
            finish(y, tail, tile.expert, unassigned, tile.first + r, column + c, columns, value);
    });
}

// dw[e] = Σ dy[n]·x[n]ᵀ over the rows n of e, in pieces of pieceRows of them: the first goes to dw, the others to parts, see add_pieces.
// dy (N, outputs), x (N, inputs), or (T, inputs) with the token of each row; dw (E, outputs, inputs). A block per piece and tile of dw.
template <int Size>
DEVICE void multiply_columns(
    const float* dy, const float* x, const int* tokens, const int* offsets, int E, int N, int inputs, int outputs, int pieceRows,
    float* parts, const Target& dw)
{
    using Result = Sums<Size, Size>;
    __shared__ Tiles<Size, Size> tiles;
    int tilesAcross = ceil_div(inputs, Size), tilesOfMatrix = tilesAcross * ceil_div(outputs, Size);
    int place = (int)blockIdx.x % tilesOfMatrix, output = place / tilesAcross * Size, input = place % tilesAcross * Size;
    int number = (int)blockIdx.x / tilesOfMatrix;
    RowTile piece = find_tile(offsets, E, N, pieceRows, 1, number);
    if (piece.expert >= E || (piece.rows() <= 0 && dw.adds))
        return;
    Result result;
    bool aligned = Size == LargeSize || (outputs % 4 == 0 && inputs % 4 == 0 && is_aligned(dy, 16) && is_aligned(x, 16));
    AlongLines<Size, Result::Threads> left(dy, nullptr, piece.first, piece.end, output, outputs, aligned);
    AlongLines<Size, Result::Threads> right(x, tokens, piece.first, piece.end, input, inputs, aligned);
    result.add(left, right, piece.rows(), tiles);

    index_t size = (index_t)outputs * inputs;
    Target target = piece.number == 0 ? dw.from(piece.expert * size) : Target{parts + (number - piece.expert - 1) * size, 0};
    result.each(tiles, [&](int r, int c, const Four& value) {
        if (output + r < outputs && input + c < inputs)
            target.from((index_t)(output + r) * inputs).write_four(input + c, inputs, value);
    });
}

#define GROUPED_PRODUCTS(size, threads, blocks)                                                                                           \
    KERNEL __launch_bounds__(threads, blocks) grouped_forward_##size(                                                                     \
        const float* x, const int* tokens, const float* w, const int* offsets, int E, int N, int inputs, int outputs, Target y,           \
        const float* bias, int activation, const float* gate, float* activated, int rounds)                                               \
    {                                                                                                                                     \
        multiply_rows<size, true>(                                                                                                        \
            x, tokens, w, offsets, E, N, inputs, outputs, y, {bias, gate, activated, activation, rounds});                                \
    }                                                                                                                                     \
                                                                                                                                          \
    KERNEL __launch_bounds__(threads, blocks) grouped_backward_input_##size(                                                              \
        const float* dy, const float* w, const int* offsets, int E, int N, int inputs, int outputs, Target dx)                            \
    {                                                                                                                                     \
        multiply_rows<size, false>(dy, nullptr, w, offsets, E, N, outputs, inputs, dx, {});                                               \
    }                                                                                                                                     \
                                                                                                                                          \
    KERNEL __launch_bounds__(threads, blocks) grouped_backward_weight_##size(                                                             \
        const float* dy, const float* x, const int* tokens, const int* offsets, int E, int N, int inputs, int outputs, int pieceRows,     \
        float* parts, Target dw)                                                                                                          \
    {                                                                                                                                     \
        multiply_columns<size>(dy, x, tokens, offsets, E, N, inputs, outputs, pieceRows, parts, dw);                                      \
    }

GROUPED_PRODUCTS(64, 64, 6)
GROUPED_PRODUCTS(128, 256, 2)

// See add_pieces in grouped_tiles.cuh.
KERNEL grouped_add_pieces(const float* parts, const int* offsets, int E, int N, int pieceRows, index_t size, float* dw)
{
    add_pieces(parts, offsets, E, N, pieceRows, size, dw);
}
