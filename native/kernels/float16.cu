// float16 (IEEE half precision) as float32, exactly. Each value is read once and written once, four per thread.
#include "common.cuh"

using float16 = unsigned short;

// By integers: no header. Exponent and fraction move into their places of a float, as a number 2^112 too small (a subnormal one too), and
// what has the largest exponent gets the largest of a float.
DEVICE float from_float16(float16 value)
{
    uint32 size = value & 0x7FFFu, bits = __float_as_uint(__uint_as_float(size << 13) * 0x1p112f);
    return __uint_as_float(bits | (size >= 0x7C00u ? 0x7F800000u : 0u) | (uint32)(value & 0x8000u) << 16);
}

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
