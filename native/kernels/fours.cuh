// How flat kernels walk over n elements, four per thread. Whether all of them lie so that four can be read and written by one access is
// asked once per launch, of the addresses: then the walk has 32-bit indices and no question in it. What is left over at the end, and
// tensors that begin anywhere, go element by element. Both compute the same.
#pragma once

#include "common.cuh"

// Four elements from column c of a row of C on, `row` elements after the tensor's beginning, of which all exist and are aligned.
struct WholeFours
{
    uint32 at; // tensors have less than 2^31 elements

    DEVICE WholeFours(uint32 row, uint32 c, int) : at(row + c) {}

    DEVICE Four load(const float* x) const
    {
        float4 all = *(const float4*)(x + at);
        return {all.x, all.y, all.z, all.w};
    }

    DEVICE Four load(const bfloat16* x) const
    {
        ushort4 all = *(const ushort4*)(x + at);
        return {from_bfloat16(all.x), from_bfloat16(all.y), from_bfloat16(all.z), from_bfloat16(all.w)};
    }

    template <class T> DEVICE Four load(const T* x, float) const { return load(x); }

    DEVICE void store(float* y, const Four& v) const { *(float4*)(y + at) = make_float4(v[0], v[1], v[2], v[3]); }

    DEVICE void store(bfloat16* y, const Four& v) const
    {
        *(ushort4*)(y + at) = make_ushort4(to_bfloat16(v[0]), to_bfloat16(v[1]), to_bfloat16(v[2]), to_bfloat16(v[3]));
    }

    template <class T> DEVICE void write(const TargetOf<T>& y, const Four& v) const { store(y.data, y.adds ? load(y.data) + v : v); }
};

// The same where some may not exist, or not be aligned: one by one. `missing` stands for what does not exist.
struct AnyFours
{
    uint32 at;
    int left; // elements of the row from c on

    DEVICE AnyFours(uint32 row, uint32 c, int C) : at(row + c), left(C - (int)c) {}

    template <class T> DEVICE Four load(const T* x, float missing = 0.0f) const
    {
        Four v;
        x += at; // once: then the four addresses differ by what instructions have room for
#pragma unroll
        for (int j = 0; j < 4; j++)
            v[j] = j < left ? widen(x[j]) : missing;
        return v;
    }

    template <class T> DEVICE void store(T* y, const Four& v) const
    {
        y += at;
#pragma unroll
        for (int j = 0; j < 4; j++)
            if (j < left)
                y[j] = narrow<T>(v[j]);
    }

    template <class T> DEVICE void write(const TargetOf<T>& y, const Four& v) const { store(y.data, y.adds ? load(y.data) + v : v); }
};

// Whether fours of this tensor can be read and written as a whole; one that nobody has or wants can.
template <class T> DEVICE bool lies_whole(const T* x) { return is_aligned(x, 4 * sizeof(T)); }
template <class T> DEVICE bool lies_whole(const TargetOf<T>& y) { return lies_whole(y.data); }
template <class... Tensors> DEVICE bool lie_whole(const Tensors&... tensors) { return (... && lies_whole(tensors)); }

// Runs body(fours) for all fours of n elements of these tensors.
template <class Body, class... Tensors>
DEVICE void each_four(int n, Body body, const Tensors&... tensors)
{
    uint32 i = 4 * (blockIdx.x * blockDim.x + threadIdx.x), step = 4 * gridDim.x * blockDim.x;
    uint32 whole = lie_whole(tensors...) ? n / 4 * 4 : 0;
    for (; i < whole; i += step)
        body(WholeFours(0, i, n));
    for (; i < n; i += step)
        body(AnyFours(0, i, n));
}

// Whether all rows of C of these tensors lie so.
template <class... Tensors> DEVICE bool rows_lie_whole(int C, const Tensors&... tensors) { return C % 4 == 0 && lie_whole(tensors...); }
