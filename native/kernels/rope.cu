// Rotary positions (Su et al. 2021): the pair (i, i + D/2) of every head turns by the angle of its token's position.
//
// A thread has one pair of one token and turns it in every head of the queries and of the keys, so that the angles are read once per token.
// Bytes: q and k read and their results written once (read once more when they are added to), cos and sin once per token.
#include "common.cuh"

// y[i] = x[i]·cos − x[i + D/2]·sin,  y[i + D/2] = x[i + D/2]·cos + x[i]·sin in each of H heads. y may be x: both of a pair are read first.
// x, y (H, D) from their pair of this thread on
DEVICE void turn(const float* x, float cos, float sin, int H, int D, const Target& y)
{
    int half = D / 2;
#pragma unroll 4
    for (index_t low = 0; low < (index_t)H * D; low += D)
    {
        float a = x[low], b = x[low + half];
        y.write(low, a * cos - b * sin);
        y.write(low + half, b * cos + a * sin);
    }
}

// The inverse turns by −sin. q, yq (N, H, D), k, yk (N, KvHeads, D), N = B·T tokens, cos, sin (positions, D/2);
// what nobody wants is left out.
KERNEL rope(const float* q, const float* k, const float* cos, const float* sin, int N, int T, int H, int KvHeads, int D, int start,
    int inverse, Target yq, Target yk)
{
    int half = D / 2;
    for (index_t i = first_index(); i < (index_t)N * half; i += index_step())
    {
        index_t n = i / half, pair = i % half, angle = (start + n % T) * half + pair;
        float c = cos[angle], s = inverse ? -sin[angle] : sin[angle];
        index_t query = n * H * D + pair, key = n * KvHeads * D + pair;
        if (yq.wanted())
            turn(q + query, c, s, H, D, yq.from(query));
        if (yk.wanted())
            turn(k + key, c, s, KvHeads, D, yk.from(key));
    }
}
