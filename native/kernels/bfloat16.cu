// To bfloat16, to the nearest, ties to the even one, and back. Each value is read once and written once, four per thread.
#include "fours.cuh"

// y = x rounded, in float32 memory. x, y (n); y may be x
KERNEL round_to_bfloat16(const float* x, int n, Target y)
{
    each_four(n, [&](const auto& fours)
    {
        Four value = fours.load(x);
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = round_to_bfloat16(value[j]);
        fours.write(y, value);
    }, x, y);
}

// y = x in 16 bits. x, y (n)
KERNEL pack_bfloat16(const float* x, int n, bfloat16* y)
{
    each_four(n, [&](const auto& fours) { fours.store(y, fours.load(x)); }, x, y);
}

// y = x as float32. x, y (n).
KERNEL widen_bfloat16(const bfloat16* x, index_t n, float* y)
{
    for (index_t i = first_four(); i < n; i += four_step())
        store_four(y, i, n, load_four(x, i, n));
}

// y = or += x, of either type each. x, y (n)
template <class X, class Y>
DEVICE void convert(const X* x, int n, TargetOf<Y> y)
{
    each_four(n, [&](const auto& fours) { fours.write(y, fours.load(x)); }, x, y);
}

KERNEL convert_narrow_wide(const bfloat16* x, int n, Target y) { convert(x, n, y); }
KERNEL convert_wide_narrow(const float* x, int n, TargetOf<bfloat16> y) { convert(x, n, y); }
KERNEL convert_narrow_narrow(const bfloat16* x, int n, TargetOf<bfloat16> y) { convert(x, n, y); }
