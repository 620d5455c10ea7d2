// Rows in expert order: expert e owns rows offsets[e] to before offsets[e+1], those from offsets[E] on are unassigned.
// And how a grid walks over such rows.
#pragma once

#include "common.cuh"

// A block takes a strip of 128 columns, four per lane, and 64 rows, eight per warp, one behind the other.
constexpr int RowsOfWarp = 8;

DEVICE int strip_column() { return 4 * ((int)blockIdx.y * WarpSize + lane()); }
DEVICE int strip_row() { return ((int)blockIdx.x * (int)(blockDim.x / WarpSize) + warp()) * RowsOfWarp; }

// The expert of row n, E when it is unassigned: how many experts end at or before n.
DEVICE int expert_of(const int* offsets, int E, int n)
{
    int low = 0, high = E;
    while (low < high)
    {
        int middle = (low + high) / 2;
        if (offsets[middle + 1] <= n)
            low = middle + 1;
        else
            high = middle;
    }

    return low;
}

// The row behind the last of an expert; unassigned rows have none.
DEVICE int end_of(const int* offsets, int E, int expert) { return expert < E ? offsets[expert + 1] : 0x7FFFFFFF; }
