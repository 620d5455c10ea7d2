// Sizes of attention, as the host's DeviceAttention has them: 44 bytes, by value.
#pragma once
#include "common.cuh"

// D is the size of a head of queries and keys, valueSize that of values. The rows of two tokens lie `queryRow`, `keyRow`, `valueRow`
// elements apart in q, k, v and in their gradients: these may be columns of one matrix. Outputs and their gradients are dense.
struct Shape
{
    int T, S, H, KvHeads, D, valueSize, window, queryRow, keyRow, valueRow;
    float rate; // of dropout

    // The T queries are the last of the S positions.
    DEVICE int position(int t) const { return t + S - T; }
    DEVICE float scale() const { return 1.0f / sqrtf((float)D); }
    DEVICE int key_head(int h) const { return h / (H / KvHeads); }
    DEVICE int output_row() const { return H * valueSize; }
    DEVICE float kept_factor() const { return 1 / (1 - rate); } // what dropout multiplies a kept weight by
};
