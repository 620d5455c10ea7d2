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

// What follows a sum of one expert: c = sum + bias; activated = f(c), or silu(gate)·c where there is a gate; the last of them is rounded
// to bfloat16 where asked. bias (E, columns); gate, activated (N, columns), activated may be c. What is null is not there.
struct Tail
{
    const float* bias;
    const float* gate;
    float* activated;
    int activation, rounds;
};

// Four of the columns of row n: the kernel's one way out. Unassigned rows (expert E) are zero.
DEVICE void finish(const Target& c, const Tail& tail, int expert, bool unassigned, int n, int column, int columns, Four value)
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
