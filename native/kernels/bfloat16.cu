// Rounding to bfloat16: to the nearest, ties to the even one. Each value is read once and written once, four per thread.
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
