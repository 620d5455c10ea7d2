// Sizes of attention, as the host's DeviceAttention has them: 44 bytes, by value; and rotary positions as gradients are stored.
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

// Gradients of queries and keys that were turned (rope.cu) are turned back as they are stored: no pass over them, which would read and
// write them once more. Queries and keys themselves are turned before, once, where they lie: a kernel here reads a key for each tile of
// queries that sees it, T/128 times on average. On tensor cores copies go past the registers, so that each time a tile of 64 keys of 64
// would pass through them, 16 pairs per thread of some 15 instructions: as many as its products and its softmax take.
// As the host's DeviceTurn, 32 bytes, by value; no cosines: nothing is turned.
struct Turn
{
    const float *cos, *sin; // (positions, turned/2)
    int turned, start, interleaved;

    DEVICE bool wanted() const { return cos != nullptr; }

    // Element c of x, the row of a head, turned by minus the angle of its pair.
    template <class T> DEVICE float back(const T* x, int c, int position) const
    {
        if (c >= turned)
            return widen(x[c]);
        int half = turned / 2;
        bool isFirst = interleaved ? c % 2 == 0 : c < half;
        int pair = interleaved ? c / 2 : isFirst ? c : c - half, other = interleaved ? c ^ 1 : isFirst ? c + half : c - half;
        index_t angle = (index_t)(start + position) * half + pair;
        float along = widen(x[c]) * __ldg(cos + angle), across = widen(x[other]) * __ldg(sin + angle);
        return isFirst ? along + across : along - across;
    }
};
