// float16 (IEEE half precision) as float32, exactly.
#pragma once

#include "common.cuh"

using float16 = unsigned short;

// By integers: no header. Exponent and fraction move into their places of a float, as a number 2^112 too small (a subnormal one too), and
// what has the largest exponent gets the largest of a float.
DEVICE float from_float16(float16 value)
{
    uint32 size = value & 0x7FFFu, bits = __float_as_uint(__uint_as_float(size << 13) * 0x1p112f);
    return __uint_as_float(bits | (size >= 0x7C00u ? 0x7F800000u : 0u) | (uint32)(value & 0x8000u) << 16);
}
