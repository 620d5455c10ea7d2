// Rotary positions (Su et al. 2021): the pair (i, i + D/2) of every head turns by the angle of its token's position.
//
// A thread has one pair of one token and turns it in every head, so that the angles are read once a token.
// Bytes: x read and y written once (read once more when it is added to), cos and sin once a token.
#include "common.cuh"

// y[i] = x[i]·cos − x[i + D/2]·sin,  y[i + D/2] = x[i + D/2]·cos + x[i]·sin; the inverse turns by −sin. y may be x: both of a pair are read first.
// x, y (N, H, D), N = B·T tokens, cos, sin (positions, D/2)
KERNEL rope(const float* x, const float* cos, const float* sin, int N, int T, int H, int D, int start, int inverse, Target y)
{
    int half = D / 2;
    for (index_t i = first_index(); i < (index_t)N * half; i += index_step())
    {
        index_t n = i / half, angle = (start + n % T) * half + i % half;
        float c = cos[angle], s = inverse ? -sin[angle] : sin[angle];
        index_t low = n * H * D + i % half;
#pragma unroll 4
        for (int h = 0; h < H; h++, low += D)
        {
            float a = x[low], b = x[low + half];
            y.write(low, a * c - b * s);
            y.write(low + half, b * c + a * s);
        }
    }
}
