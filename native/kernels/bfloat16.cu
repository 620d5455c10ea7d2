// To bfloat16, to the nearest, ties to the even one, and back. Each value is read once and written once, four per thread.
#include "common.cuh"

// y = x rounded, in float32 memory. x, y (n); y may be x
KERNEL round_to_bfloat16(const float* x, int n, Target y)
{
    for (index_t i = first_four(); i < n; i += four_step())
    {
        Four value = load_four(x, i, n);
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = round_to_bfloat16(value[j]);
        y.write_four(i, n, value);
    }
}

// y = x in 16 bits. x, y (n)
KERNEL pack_bfloat16(const float* x, int n, bfloat16* y)
{
    for (index_t i = first_four(); i < n; i += four_step())
        store_four(y, i, n, load_four(x, i, n));
}

// y = x as float32. x, y (n).
KERNEL widen_bfloat16(const bfloat16* x, index_t n, float* y)
{
    for (index_t i = first_four(); i < n; i += four_step())
    {
        Four value = four(0.0f);
        if (i + 4 <= n && is_aligned(x + i, 8))
        {
            ushort4 all = *(const ushort4*)(x + i);
            value = {from_bfloat16(all.x), from_bfloat16(all.y), from_bfloat16(all.z), from_bfloat16(all.w)};
        }
        else
        {
#pragma unroll
            for (int j = 0; j < 4; j++)
                value[j] = i + j < n ? from_bfloat16(x[i + j]) : 0.0f;
        }

        store_four(y, i, n, value);
    }
}
