// What products of experts share, in float32 and on tensor cores: which rows of which expert a block has, and what becomes of a sum.
#pragma once

#include "experts.cuh"
#include "functions.cuh"

// Rows first to before end of one expert; E is who has the unassigned ones. Nobody has a tile behind the last.
struct RowTile
{
    int expert, first, end, number; // number: which of the expert's tiles it is

    DEVICE int rows() const { return end - first; }
};

// The tile of this number, where experts are cut into tiles of so many rows, expert by expert, and each has `least` tiles at least. Every
// warp looks for itself: 32 experts at once, no shared memory and no barrier. The grid is as large as any routing may need.
DEVICE RowTile find_tile(const int* offsets, int E, int N, int rows, int least, int tile)
{
    int before = 0;
    for (int base = 0; base <= E; base += WarpSize)
    {
        int e = base + lane(), first = e <= E ? offsets[e] : N, end = e < E ? offsets[e + 1] : N;
        int tiles = e < E ? max(ceil_div(end - first, rows), least) : ceil_div(end - first, rows);
        int upTo = before + sum_up_to_lane(tiles);
        uint32 behind = __ballot_sync(AllLanes, upTo > tile);
        if (behind != 0)
        {
            int owner = __ffs(behind) - 1, number = tile - __shfl_sync(AllLanes, upTo - tiles, owner);
            first = __shfl_sync(AllLanes, first, owner) + number * rows;
            return {base + owner, first, min(first + rows, __shfl_sync(AllLanes, end, owner)), number};
        }

        before = __shfl_sync(AllLanes, upTo, WarpSize - 1);
    }

    return {E + 1, N, N, 0};
}

// Where a side of a product has its line n: in that row, or where tokens are given in the row that tokens[n] names, so that nobody has to
// move rows into the order of their experts before. −1, which reads as zeros: there is no such line, or it is unassigned.
DEVICE int row_of(const int* tokens, int n, int end) { return n >= end ? -1 : tokens ? tokens[n] : n; }

// What follows a sum of one expert: c = sum + bias; activated = f(c), or silu(gate)·c where there is a gate; the last of them is rounded
// to bfloat16 where asked. bias (E, columns); gate, activated (N, columns), of c's type T; activated may be c. What is null is not there.
template <class T>
struct Tail
{
    const float* bias;
    const T* gate;
    T* activated;
    int activation, rounds;
};

// Four of the columns of row n: the kernel's one way out. Unassigned rows (expert E) are zero.
template <class T>
DEVICE void finish(const TargetOf<T>& c, const Tail<T>& tail, int expert, bool unassigned, int n, int column, int columns, Four value)
{
    index_t row = (index_t)n * columns;
    if (tail.bias && !unassigned)
        value = value + load_four(tail.bias + (index_t)expert * columns, column, columns);
    if (tail.activated && tail.activated != c.data)
        c.from(row).write_four(column, columns, value);
    if (tail.activated && !unassigned)
    {
        Four gates = four(0.0f);
        if (tail.gate)
            gates = load_four(tail.gate + row, column, columns);
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = tail.gate ? silu(gates[j]) * value[j] : unary(tail.activation, value[j]);
    }

    if (tail.rounds)
    {
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = round_to_bfloat16(value[j]);
    }

    if (tail.activated)
        store_four(tail.activated + row, column, columns, value);
    else
        c.from(row).write_four(column, columns, value);
}

// dw[e] += the sums of all but the first piece of each expert, in their order. A product of weights cuts the rows of an expert into
// pieces: the first is in dw, and of the others that of number p is in parts[p - e - 1], p counted over all experts.
// parts (at most N / pieceRows, size), offsets (E+1), dw (E, size). Blocks (any, E).
DEVICE void add_pieces(const float* parts, const int* offsets, int E, int N, int pieceRows, index_t size, float* dw)
{
    int e = blockIdx.y, extra = ceil_div(offsets[e + 1] - offsets[e], pieceRows) - 1;
    if (extra <= 0)
        return;
    int before = 0; // pieces beyond the first of the experts before
    for (int base = 0; base < e; base += WarpSize)
    {
        int other = base + lane();
        before += other < e ? max(ceil_div(offsets[other + 1] - offsets[other], pieceRows) - 1, 0) : 0;
    }

    parts += sum_warp(before) * size;
    float* matrix = dw + e * size;
    for (index_t i = first_four(); i < size; i += four_step())
    {
        Four sum = load_four(matrix, i, size);
        for (int p = 0; p < extra; p++)
            sum = sum + load_four(parts + p * size, i, size);
        store_four(matrix, i, size, sum);
    }
}

// How a product is made: Way says of which elements, in tiles of which size, how its two sides come into shared memory, and who adds up.
//   Element, of both sides; Output, of y and dx; Size: rows and columns of a tile of the result; Unit: elements of 16 bytes
//   Tiles: shared memory
//   AlongInner, AlongLines: a side whose inner dimension, or whose lines, run along memory
//   Sums: add(left, right, inner, tiles), then each(tiles, write(row, column, four))
// Sides of large tiles always begin at multiples of 16 bytes, and so do all their rows: the host sees to it.
constexpr int LargeSize = 128;

// y[n] = op(w[e])·x[n] for the rows n of each expert, with what follows; zero for unassigned rows where it is stored.
// x (N, inner), or (T, inner) with the token of each row; w (E, columns, inner), where WeightsAlongInner, else (E, inner, columns).
// A block per tile of rows and tile of columns, columns first: neighbours share their rows of x.
template <class Way, bool WeightsAlongInner>
DEVICE void multiply_rows(
    const typename Way::Element* x, const int* tokens, const typename Way::Element* w, const int* offsets, int E, int N, int inner,
    int columns, const TargetOf<typename Way::Output>& y, const Tail<typename Way::Output>& tail)
{
    constexpr int Size = Way::Size;
    __shared__ typename Way::Tiles tiles;
    int tilesAcross = ceil_div(columns, Size), column = (int)blockIdx.x % tilesAcross * Size;
    RowTile tile = find_tile(offsets, E, N, Size, 0, (int)blockIdx.x / tilesAcross);
    bool unassigned = tile.expert >= E;
    if (tile.rows() <= 0 || (unassigned && y.adds))
        return;
    typename Way::Sums result;
    const auto* matrix = w + (unassigned ? 0 : (index_t)tile.expert * inner * columns);
    int steps = unassigned ? 0 : inner;
    bool aligned = Size == LargeSize
        || (inner % Way::Unit == 0 && (WeightsAlongInner || columns % Way::Unit == 0) && is_aligned(x, 16) && is_aligned(w, 16));
    typename Way::AlongInner left(x, tokens, tile.first, unassigned ? tile.first : tile.end, inner, aligned);
    if constexpr (WeightsAlongInner)
    {
        typename Way::AlongInner right(matrix, nullptr, column, unassigned ? column : columns, inner, aligned);
        result.add(left, right, steps, tiles);
    }
    else
    {
        typename Way::AlongLines right(matrix, nullptr, 0, steps, column, columns, aligned);
        result.add(left, right, steps, tiles);
    }

    result.each(tiles, [&](int r, int c, const Four& value) {
        if (r < tile.rows() && column + c < columns)
            finish(y, tail, tile.expert, unassigned, tile.first + r, column + c, columns, value);
    });
}

// dw[e] = Σ dy[n]·x[n]ᵀ over the rows n of e, in pieces of pieceRows of them: the first goes to dw, the others to parts, see add_pieces.
// dy (N, outputs), x (N, inputs), or (T, inputs) with the token of each row; dw (E, outputs, inputs). A block per piece and tile of dw.
template <class Way>
DEVICE void multiply_columns(
    const typename Way::Element* dy, const typename Way::Element* x, const int* tokens, const int* offsets, int E, int N, int inputs,
    int outputs, int pieceRows, float* parts, const Target& dw)
{
    constexpr int Size = Way::Size;
    __shared__ typename Way::Tiles tiles;
    int tilesAcross = ceil_div(inputs, Size), tilesOfMatrix = tilesAcross * ceil_div(outputs, Size);
    int place = (int)blockIdx.x % tilesOfMatrix, output = place / tilesAcross * Size, input = place % tilesAcross * Size;
    int number = (int)blockIdx.x / tilesOfMatrix;
    RowTile piece = find_tile(offsets, E, N, pieceRows, 1, number);
    if (piece.expert >= E || (piece.rows() <= 0 && dw.adds))
        return;
    typename Way::Sums result;
    bool aligned = Size == LargeSize
        || (outputs % Way::Unit == 0 && inputs % Way::Unit == 0 && is_aligned(dy, 16) && is_aligned(x, 16));
    typename Way::AlongLines left(dy, nullptr, piece.first, piece.end, output, outputs, aligned);
    typename Way::AlongLines right(x, tokens, piece.first, piece.end, input, inputs, aligned);
    result.add(left, right, piece.rows(), tiles);

    index_t size = (index_t)outputs * inputs;
    Target target = piece.number == 0 ? dw.from(piece.expert * size) : Target{parts + (number - piece.expert - 1) * size, 0};
    result.each(tiles, [&](int r, int c, const Four& value) {
        if (output + r < outputs && input + c < inputs)
            target.from((index_t)(output + r) * inputs).write_four(input + c, inputs, value);
    });
}

#define GROUPED_PRODUCTS_OF_ROWS(kind, way, threads, blocks)                                                                              \
    KERNEL __launch_bounds__(threads, blocks) grouped_forward_##kind(                                                                     \
        const way::Element* x, const int* tokens, const way::Element* w, const int* offsets, int E, int N, int inputs, int outputs,       \
        TargetOf<way::Output> y, const float* bias, int activation, const way::Output* gate, way::Output* activated, int rounds)          \
    {                                                                                                                                     \
        multiply_rows<way, true>(x, tokens, w, offsets, E, N, inputs, outputs, y, {bias, gate, activated, activation, rounds});           \
    }                                                                                                                                     \
                                                                                                                                          \
    KERNEL __launch_bounds__(threads, blocks) grouped_backward_input_##kind(                                                              \
        const way::Element* dy, const way::Element* w, const int* offsets, int E, int N, int inputs, int outputs,                         \
        TargetOf<way::Output> dx)                                                                                                         \
    {                                                                                                                                     \
        multiply_rows<way, false>(dy, nullptr, w, offsets, E, N, outputs, inputs, dx, {});                                                \
    }

// dw is float32 whatever is multiplied.
#define GROUPED_PRODUCTS(kind, way, threads, blocks)                                                                                      \
    GROUPED_PRODUCTS_OF_ROWS(kind, way, threads, blocks)                                                                                  \
                                                                                                                                          \
    KERNEL __launch_bounds__(threads, blocks) grouped_backward_weight_##kind(                                                             \
        const way::Element* dy, const way::Element* x, const int* tokens, const int* offsets, int E, int N, int inputs, int outputs,      \
        int pieceRows, float* parts, Target dw)                                                                                           \
    {                                                                                                                                     \
        multiply_columns<way>(dy, x, tokens, offsets, E, N, inputs, outputs, pieceRows, parts, dw);                                       \
    }
