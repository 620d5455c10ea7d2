// float16 (IEEE half precision) as float32, exactly. Each value is read once and written once, four per thread.
#include "float16.cuh"

// y = x as float32. x, y (n)
KERNEL widen_float16(const float16* x, index_t n, float* y)
{
    for (index_t i = first_four(); i < n; i += four_step())
    {
        Four value = four(0.0f);
        if (i + 4 <= n && is_aligned(x + i, 8))
        {
            ushort4 all = *(const ushort4*)(x + i);
            value = {from_float16(all.x), from_float16(all.y), from_float16(all.z), from_float16(all.w)};
        }
        else
        {
#pragma unroll
            for (int j = 0; j < 4; j++)
                value[j] = i + j < n ? from_float16(x[i + j]) : 0.0f;
        }

        store_four(y, i, n, value);
    }
}
