// Rotary positions (Su et al. 2021): the pairs of every head turn by the angle of its token's position. Pairs are half of what is turned
// apart, (i, i + turned/2), or neighbours, (2i, 2i + 1); the elements behind `turned` stay.
//
// A thread has one pair of one token and turns it in every head of the queries and of the keys, so that the angles are read once per token;
// or it has one element that stays. Bytes: q and k read and their results written once (read once more when they are added to), cos and sin
// once per token.
#include "common.cuh"

// y = x·cos − x'·sin,  y' = x'·cos + x·sin in each of H heads, x' being `distance` behind x. y may be x: both of a pair are read first.
// x, y (H, D) from their pair of this thread on
template <class T> DEVICE void turn(const T* x, float cos, float sin, int H, int D, int distance, const TargetOf<T>& y)
{
#pragma unroll 4
    for (index_t low = 0; low < (index_t)H * D; low += D)
    {
        float a = widen(x[low]), b = widen(x[low + distance]);
        y.write(low, a * cos - b * sin);
        y.write(low + distance, b * cos + a * sin);
    }
}

// An element that stays, in each of H heads: there is nothing to do where y is x.
template <class T> DEVICE void keep(const T* x, int H, int D, const TargetOf<T>& y)
{
    if (x == y.data && !y.adds)
        return;
#pragma unroll 4
    for (index_t low = 0; low < (index_t)H * D; low += D)
        y.write(low, widen(x[low]));
}

// The inverse turns by −sin. q, yq (N, H, D), k, yk (N, KvHeads, D), N = B·T tokens, whose rows lie queryRow and keyRow elements apart:
// they may be columns of a matrix, which one product made. cos, sin (positions, turned/2); what nobody wants is left out.
template <class V>
DEVICE void rope_of(const V* q, const V* k, const float* cos, const float* sin, int N, int T, int H, int KvHeads, int D, int queryRow,
    int keyRow, int turned, int interleaved, int start, int inverse, TargetOf<V> yq, TargetOf<V> yk)
{
    int half = turned / 2, parts = D - half;
    for (index_t i = first_index(); i < (index_t)N * parts; i += index_step())
    {
        index_t n = i / parts, part = i % parts, query = n * queryRow, key = n * keyRow;
        if (part >= half)
        {
            index_t element = part + half;
            if (yq.wanted())
                keep(q + query + element, H, D, yq.from(query + element));
            if (yk.wanted())
                keep(k + key + element, KvHeads, D, yk.from(key + element));
            continue;
        }

        index_t angle = (start + n % T) * half + part, low = interleaved ? 2 * part : part;
        int distance = interleaved ? 1 : half;
        float c = cos[angle], s = inverse ? -sin[angle] : sin[angle];
        if (yq.wanted())
            turn(q + query + low, c, s, H, D, distance, yq.from(query + low));
        if (yk.wanted())
            turn(k + key + low, c, s, KvHeads, D, distance, yk.from(key + low));
    }
}

KERNEL rope(
    const float* q, const float* k, const float* cos, const float* sin, int N, int T, int H, int KvHeads, int D, int queryRow,
    int keyRow, int turned, int interleaved, int start, int inverse, Target yq, Target yk)
{
    rope_of(q, k, cos, sin, N, T, H, KvHeads, D, queryRow, keyRow, turned, interleaved, start, inverse, yq, yk);
}

KERNEL rope_bfloat16(
    const bfloat16* q, const bfloat16* k, const float* cos, const float* sin, int N, int T, int H, int KvHeads, int D, int queryRow,
    int keyRow, int turned, int interleaved, int start, int inverse, TargetOf<bfloat16> yq, TargetOf<bfloat16> yk)
{
    rope_of(q, k, cos, sin, N, T, H, KvHeads, D, queryRow, keyRow, turned, interleaved, start, inverse, yq, yk);
}
