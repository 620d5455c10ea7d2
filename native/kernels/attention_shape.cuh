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

// Two neighbours, whose address is a multiple of their size.
DEVICE float2 pair_at(const float* at) { return *(const float2*)at; }
DEVICE float2 pair_at(const bfloat16* at)
{
    uint32 pair = *(const uint32*)at;
    return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xFFFF0000u));
}

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

    // The row x of a head at a position, turned by minus its angles, by the lanes of a warp: put(c, value) takes the columns from `from` to
    // before `to`. What is turned begins at the first column, and so it is all among them or not at all. Each angle is read once. x is in
    // shared memory, aligned to 8 bytes.
    template <class T, class Put> DEVICE void back(const T* x, int position, int from, int to, Put put) const
    {
        int half = turned / 2;
        index_t angles = (index_t)(start + position) * half;
        for (int i = lane(); from == 0 && i < half; i += WarpSize)
        {
            int low = interleaved ? 2 * i : i, high = interleaved ? low + 1 : low + half;
            float2 of = interleaved ? pair_at(x + low) : make_float2(widen(x[low]), widen(x[high]));
            float a = of.x, b = of.y, c = __ldg(cos + angles + i), s = __ldg(sin + angles + i);
            put(low, a * c + b * s);
            put(high, b * c - a * s);
        }

        for (int c = max(from, turned) + lane(); c < to; c += WarpSize)
            put(c, widen(x[c]));
    }
};
