// Products of experts on tensor cores (compute capability 8.0 and later), in TF32 on float32 memory and in bfloat16 on bfloat16 memory; the
// sums are float32. Which rows of which expert a block has, and what follows a sum, is as in grouped_products.cu.
//
// A block makes a tile of Size by Size of the result, a warp Size / 2 rows by 32 columns of it. 64 bytes of the inner dimension of both
// sides lie in shared memory at once: two steps of the tensor cores. While they are multiplied, the next 64 bytes are on their way there
// (cp.async), into a second buffer. Each element is one sum in the order of its inner dimension.
//
// In shared memory a row of a tile is a row of units of 16 bytes, which change places by their row, so that no bank is met twice: by the
// copies (8 lanes write 128 bytes), by ldmatrix (8 rows of one unit), or by the single words that TF32 reads where the inner dimension
// runs across rows (4 rows of two units).
#include "grouped_tiles.cuh"
#include "tensor_cores.cuh"

constexpr int RowBytes = 64, WarpColumns = 32, Steps = 2; // of the inner dimension at once; of a warp's tile; products of RowBytes

template <class E> constexpr int UnitOf = 16 / (int)sizeof(E);
template <class E> constexpr int DepthOf = RowBytes / (int)sizeof(E);

// A unit of x, of which `left` elements exist; zeros behind them. The copy of a whole one arrives at the next wait.
template <class E>
DEVICE void begin_copy(E* to, const E* x, int left, bool aligned, const E* somewhere)
{
    if (aligned)
    {
        copy_16(to, left > 0 ? x : somewhere, left > 0);
        return;
    }

#pragma unroll
    for (int i = 0; i < UnitOf<E>; i++)
        to[i] = i < left ? x[i] : E(0);
}

DEVICE Left round_left(const Left& a, float) { return {{to_tf32(a.of[0]), to_tf32(a.of[1]), to_tf32(a.of[2]), to_tf32(a.of[3])}}; }
DEVICE Left round_left(const Left& a, bfloat16) { return a; }
DEVICE Right round_right(uint32 first, uint32 second, float) { return {{to_tf32(first), to_tf32(second)}}; }
DEVICE Right round_right(uint32 first, uint32 second, bfloat16) { return {{first, second}}; }

// One side of a product whose inner dimension runs along memory: Lines rows of it, four units each.
template <class E, int Lines, int Threads>
struct AlongInner
{
    static constexpr int Unit = UnitOf<E>, Units = RowBytes / 16, Stride = Threads / Units, Count = Lines / Stride;
    const E* start;        // of x, for copies of nothing
    const E* lines[Count]; // at the thread's first unit; null: there is no such line
    int left;              // elements from there on
    bool aligned;

    // x (any, inner), of it the lines first to before end, or where tokens are given those that they name.
    DEVICE AlongInner(const E* x, const int* tokens, int first, int end, int inner, bool aligned)
        : start(x), left(inner - unit() * Unit), aligned(aligned)
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
        {
            int line = row_of(tokens, first + row(i), end);
            lines[i] = line >= 0 ? x + (index_t)line * inner + unit() * Unit : nullptr;
        }
    }

    DEVICE void begin(E* tile, int step) const
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
            begin_copy(tile + place(row(i), unit()), lines[i] + step, lines[i] ? left - step : 0, aligned, start);
    }

    // The fragments of 16 lines, the warp's first and `line` behind it, of product `step` of the tile.
    DEVICE static Left left_of(const E* tile, int begin, int line, int step)
    {
        Left a;
        load_matrices(a.of, tile + place(begin + line + lane() % 16, 2 * step + lane() / 16));
        return round_left(a, E());
    }

    DEVICE static void right_of(const E* tile, int begin, int line, int step, Right& first, Right& second)
    {
        uint32 words[4];
        load_matrices(words, tile + place(begin + line + lane() % 8 + lane() / 16 * 8, 2 * step + lane() / 8 % 2));
        first = round_right(words[0], words[1], E());
        second = round_right(words[2], words[3], E());
    }

private:
    DEVICE static int unit() { return (int)threadIdx.x % Units; }
    DEVICE static int row(int i) { return (int)threadIdx.x / Units + i * Stride; }
    DEVICE static int place(int row, int unit) { return (row * Units + (unit ^ (row / 2 % 4))) * Unit; }
};

// One side of a product whose lines run along memory: Lines columns of it.
template <class E, int Lines, int Threads>
struct AlongLines
{
    static constexpr int Unit = UnitOf<E>, Units = Lines / Unit, Stride = Threads / Units, Count = DepthOf<E> / Stride;
    const E* start;      // of x, for copies of nothing
    const E* x;          // at the thread's column
    const int* tokens;
    int first, end, columns, left; // the thread's first inner row, the end of them; columns, and those from the thread's on
    bool aligned;

    // x (any, columns), of it the columns from `column` and the rows first to before end, or where tokens are given those that they name.
    DEVICE AlongLines(const E* x, const int* tokens, int first, int end, int column, int columns, bool aligned)
        : start(x), x(x + column + unit() * Unit), tokens(tokens), first(first + row(0)), end(end), columns(columns),
          left(columns - column - unit() * Unit), aligned(aligned)
    {
    }

    DEVICE void begin(E* tile, int step) const
    {
#pragma unroll
        for (int i = 0; i < Count; i++)
        {
            int n = row_of(tokens, first + step + i * Stride, end);
            begin_copy(tile + place(row(i), unit()), x + (index_t)max(n, 0) * columns, n >= 0 ? left : 0, aligned, start);
        }
    }

    DEVICE static Left left_of(const bfloat16* tile, int begin, int line, int step)
    {
        Left a;
        load_matrices_transposed(a.of, tile + place(16 * step + lane() % 8 + lane() / 16 * 8, (begin + line) / Unit + lane() / 8 % 2));
        return a;
    }

    DEVICE static void right_of(const bfloat16* tile, int begin, int line, int step, Right& first, Right& second)
    {
        uint32 words[4];
        load_matrices_transposed(words, tile + place(16 * step + lane() % 16, (begin + line) / Unit + lane() / 16));
        first = {{words[0], words[1]}};
        second = {{words[2], words[3]}};
    }

    DEVICE static Left left_of(const float* tile, int begin, int line, int step)
    {
        const float* at = tile + begin;
        return {{word(at, line, 8 * step), word(at, line + 8, 8 * step), word(at, line, 8 * step + 4), word(at, line + 8, 8 * step + 4)}};
    }

    DEVICE static void right_of(const float* tile, int begin, int line, int step, Right& first, Right& second)
    {
        const float* at = tile + begin;
        first = {{word(at, line, 8 * step), word(at, line, 8 * step + 4)}};
        second = {{word(at, line + 8, 8 * step), word(at, line + 8, 8 * step + 4)}};
    }

private:
    DEVICE static int unit() { return (int)threadIdx.x % Units; }
    DEVICE static int row(int i) { return (int)threadIdx.x / Units + i * Stride; }

    DEVICE static int place(int row, int unit)
    {
        return (row * Units + (unit ^ (sizeof(E) == 4 ? row % 4 * 2 : row % 8))) * Unit;
    }

    // In TF32, the lane's element: inner row + lane % 4, line + lane / 4. It is where `place` has put it, said so that the compiler knows
    // all but the lane: the warp's lines begin at a multiple of 32, row is a multiple of 4, line of 8.
    DEVICE static uint32 word(const float* at, int line, int row)
    {
        int turned = (line / 8 % 4 ^ lane() % 4) * 8 + lane() / 4;
        return to_tf32(at[lane() % 4 * Lines + turned + row * Lines + line / 32 * 32]);
    }
};

template <class E, int Size>
union alignas(16) Tiles
{
    static constexpr int Rows = 32, Stride = WarpColumns + 8; // of a warp's sums: eights of lanes that write pairs meet all banks
    struct { E left[2][Size * DepthOf<E>], right[2][Size * DepthOf<E>]; };
    float sums[Size / WarpColumns * 2][Rows * Stride];
};

// The sums of a warp: Size / 2 rows by 32 columns.
template <class E, int Size>
struct Sums
{
    static constexpr int WarpsAcross = Size / WarpColumns, Threads = 2 * WarpsAcross * WarpSize, Rows = Size / 2;
    Sum sums[Rows / 16][WarpColumns / 8];

    DEVICE static int row() { return warp() / WarpsAcross * Rows; }
    DEVICE static int column() { return warp() % WarpsAcross * WarpColumns; }

    // sums = left·right over all `inner` elements.
    template <class LeftSide, class RightSide>
    DEVICE void add(const LeftSide& left, const RightSide& right, int inner, Tiles<E, Size>& tiles)
    {
#pragma unroll
        for (int i = 0; i < Rows / 16; i++)
#pragma unroll
            for (int j = 0; j < WarpColumns / 8; j++)
                sums[i][j] = {};
        left.begin(tiles.left[0], 0);
        right.begin(tiles.right[0], 0);
        commit_copies();
        for (int step = 0, now = 0; step < inner; step += DepthOf<E>, now ^= 1)
        {
            wait_for_copies<0>();
            __syncthreads(); // all have arrived, and nobody reads the other buffer any more
            if (step + DepthOf<E> < inner)
            {
                left.begin(tiles.left[now ^ 1], step + DepthOf<E>);
                right.begin(tiles.right[now ^ 1], step + DepthOf<E>);
                commit_copies();
            }

            add_tile<LeftSide, RightSide>(tiles.left[now], tiles.right[now]);
        }

        wait_for_copies<0>(); // those that were begun for nothing
        __syncthreads();
    }

    // Calls write(row, column, four) for all sums. They pass through shared memory, so that eight lanes write a whole row of the warp's,
    // and what follows a sum is in the code once for 32 rows.
    template <class Write>
    DEVICE void each(Tiles<E, Size>& tiles, Write write) const
    {
        constexpr int Part = Tiles<E, Size>::Rows, Stride = Tiles<E, Size>::Stride, Fours = WarpColumns / 4;
        float* own = tiles.sums[warp()];
#pragma unroll
        for (int part = 0; part < Rows / Part; part++)
        {
#pragma unroll
            for (int i = 0; i < Part / 16; i++)
#pragma unroll
                for (int j = 0; j < WarpColumns / 8; j++)
                {
                    const Sum& sum = sums[part * Part / 16 + i][j];
                    float* at = own + (16 * i + group_row()) * Stride + 8 * j + group_column();
                    *(float2*)at = make_float2(sum.of[0], sum.of[1]);
                    *(float2*)(at + 8 * Stride) = make_float2(sum.of[2], sum.of[3]);
                }

            __syncwarp();
#pragma unroll 1
            for (int r = lane() / Fours; r < Part; r += WarpSize / Fours)
            {
                int c = lane() % Fours * 4;
                float4 all = *(const float4*)&own[r * Stride + c];
                write(row() + part * Part + r, column() + c, Four{all.x, all.y, all.z, all.w});
            }

            __syncwarp();
        }
    }

private:
    template <class LeftSide, class RightSide>
    DEVICE void add_tile(const E* left, const E* right)
    {
#pragma unroll
        for (int step = 0; step < Steps; step++)
        {
            Left a[Rows / 16];
#pragma unroll
            for (int i = 0; i < Rows / 16; i++)
                a[i] = LeftSide::left_of(left, row(), 16 * i, step);
#pragma unroll
            for (int j = 0; j < WarpColumns / 8; j += 2)
            {
                Right first, second;
                RightSide::right_of(right, column(), 8 * j, step, first, second);
#pragma unroll
                for (int i = 0; i < Rows / 16; i++)
                {
                    Fragments<E>::multiply_add(sums[i][j], a[i], first);
                    Fragments<E>::multiply_add(sums[i][j + 1], a[i], second);
                }
            }
        }
    }
};

template <class E, int S, class O = float>
struct OnTensorCores
{
    using Element = E;
    using Output = O;
    static constexpr int Size = S, Unit = UnitOf<E>;
    using Sums = ::Sums<E, S>;
    using Tiles = ::Tiles<E, S>;
    using AlongInner = ::AlongInner<E, S, Sums::Threads>;
    using AlongLines = ::AlongLines<E, S, Sums::Threads>;
};

using SmallTf32 = OnTensorCores<float, 64>;
using LargeTf32 = OnTensorCores<float, LargeSize>;
using SmallBfloat16 = OnTensorCores<bfloat16, 64>;
using LargeBfloat16 = OnTensorCores<bfloat16, LargeSize>;
using SmallNarrow = OnTensorCores<bfloat16, 64, bfloat16>;
using LargeNarrow = OnTensorCores<bfloat16, LargeSize, bfloat16>;
GROUPED_PRODUCTS(tf32_64, SmallTf32, 128, 4)
GROUPED_PRODUCTS(tf32_128, LargeTf32, 256, 2)
GROUPED_PRODUCTS(bfloat16_64, SmallBfloat16, 128, 4)
GROUPED_PRODUCTS(bfloat16_128, LargeBfloat16, 256, 2)

// y and dx in bfloat16 memory as well.
GROUPED_PRODUCTS_OF_ROWS(narrow_64, SmallNarrow, 128, 4)
GROUPED_PRODUCTS_OF_ROWS(narrow_128, LargeNarrow, 256, 2)
