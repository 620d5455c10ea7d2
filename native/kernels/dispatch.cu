// Dispatch and combine: rows to their experts and back. Every sum is a gather in the order of the token's choices. A warp per token, or a
// row.
//
// Bytes: a token's vector is read once and written to all of its rows, or its rows are read once and summed. Only combine_backward, whose
// rows ask for their token's gradient each, reads that once per choice: 1.2 times the least with two choices per token. A lane takes four
// columns with one access where all rows begin at a multiple of that, else one: V is four elements or one, C counts in V. Elements are
// float32, or bfloat16; gates and sums are float32.
#include "ranking.cuh" // Dropped

DEVICE index_t warp_of_grid() { return first_index() / WarpSize; }

template <class T> struct FoursOf;
template <> struct FoursOf<float> { using V = float4; };
template <> struct FoursOf<bfloat16> { using V = ushort4; };

template <class T> DEVICE bool in_fours(int C, const T* x, const T* y)
{
    return C % 4 == 0 && is_aligned(x, 4 * sizeof(T)) && is_aligned(y, 4 * sizeof(T));
}

DEVICE float4 widen(float4 a) { return a; }
DEVICE float4 widen(ushort4 a) { return make_float4(widen(a.x), widen(a.y), widen(a.z), widen(a.w)); }
template <class V> DEVICE V narrow(float4 a);
template <> DEVICE float4 narrow<float4>(float4 a) { return a; }
template <> DEVICE ushort4 narrow<ushort4>(float4 a)
{
    return make_ushort4(to_bfloat16(a.x), to_bfloat16(a.y), to_bfloat16(a.z), to_bfloat16(a.w));
}

DEVICE float add(float a, float b) { return a + b; }
DEVICE float4 add(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
DEVICE float scale(float w, float a) { return w * a; }
DEVICE float4 scale(float w, float4 a) { return make_float4(w * a.x, w * a.y, w * a.z, w * a.w); }
DEVICE float dot(float a, float b) { return a * b; }
DEVICE float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }

template <class V, class W>
DEVICE void write(V* y, int adds, index_t i, W value)
{
    y[i] = narrow<V>(adds ? add(widen(y[i]), value) : value);
}

// The rows of a token are rowsByToken[start] to before rowsByToken[end].
struct RowsOfToken
{
    int start, end;

    DEVICE RowsOfToken(const int* tokenOffsets, int t) : start(tokenOffsets[t]), end(tokenOffsets[t + 1]) {}
};

// ---- Dispatch ---------------------------------------------------------------------------------------------------------------------------

// Unassigned rows, behind those of the last token, are shared out among the tokens' warps.
template <class V>
DEVICE void copy_token(const V* x, const int* tokenOffsets, const int* rowsByToken, int t, int N, int T, int C, V* y)
{
    RowsOfToken rows(tokenOffsets, t);
    for (int c = lane(); c < C; c += WarpSize)
    {
        V value = x[(index_t)t * C + c];
        for (int i = rows.start; i < rows.end; i++)
            y[(index_t)rowsByToken[i] * C + c] = value;
    }

    for (index_t n = tokenOffsets[T] + t; n < N; n += T)
        for (int c = lane(); c < C; c += WarpSize)
            y[n * C + c] = V();
}

template <class T>
DEVICE void dispatch_forward_of(
    const T* x,              // (tokens, C)
    const int* tokenOffsets, // (tokens + 1)
    const int* rowsByToken,  // (N)
    int N, int tokens, int C,
    T* y)                    // (N, C)
{
    int t = warp_of_grid();
    if (t >= tokens)
        return;
    using V = typename FoursOf<T>::V;
    if (in_fours(C, x, y))
        copy_token((const V*)x, tokenOffsets, rowsByToken, t, N, tokens, C / 4, (V*)y);
    else
        copy_token(x, tokenOffsets, rowsByToken, t, N, tokens, C, y);
}

KERNEL dispatch_forward(const float* x, const int* tokenOffsets, const int* rowsByToken, int N, int tokens, int C, float* y)
{
    dispatch_forward_of(x, tokenOffsets, rowsByToken, N, tokens, C, y);
}

KERNEL dispatch_forward_bfloat16(const bfloat16* x, const int* tokenOffsets, const int* rowsByToken, int N, int tokens, int C, bfloat16* y)
{
    dispatch_forward_of(x, tokenOffsets, rowsByToken, N, tokens, C, y);
}

// ---- Sums of a token's rows: combine, and the backward of dispatch ----------------------------------------------------------------------

// y[t] = Σ over the rows n of token t of w[n]·x[n]; without w the plain sum.
template <class V>
DEVICE void sum_rows_of_token(const V* x, const float* w, const int* tokenOffsets, const int* rowsByToken, int t, int C, V* y, int adds)
{
    RowsOfToken rows(tokenOffsets, t);
    for (int c = lane(); c < C; c += WarpSize)
    {
        auto sum = widen(V());
        for (int i = rows.start; i < rows.end; i++)
        {
            int n = rowsByToken[i];
            sum = add(sum, scale(w == nullptr ? 1.0f : w[n], widen(x[(index_t)n * C + c])));
        }

        write(y, adds, (index_t)t * C + c, sum);
    }
}

template <class T>
DEVICE void dispatch_backward_of(
    const T* dy,             // (N, C)
    const int* tokenOffsets, // (tokens + 1)
    const int* rowsByToken,  // (N)
    int tokens, int C,
    TargetOf<T> dx)          // (tokens, C)
{
    int t = warp_of_grid();
    if (t >= tokens)
        return;
    using V = typename FoursOf<T>::V;
    if (in_fours(C, dy, dx.data))
        sum_rows_of_token((const V*)dy, nullptr, tokenOffsets, rowsByToken, t, C / 4, (V*)dx.data, dx.adds);
    else
        sum_rows_of_token(dy, nullptr, tokenOffsets, rowsByToken, t, C, dx.data, dx.adds);
}

KERNEL dispatch_backward(const float* dy, const int* tokenOffsets, const int* rowsByToken, int tokens, int C, Target dx)
{
    dispatch_backward_of(dy, tokenOffsets, rowsByToken, tokens, C, dx);
}

KERNEL dispatch_backward_bfloat16(
    const bfloat16* dy, const int* tokenOffsets, const int* rowsByToken, int tokens, int C, TargetOf<bfloat16> dx)
{
    dispatch_backward_of(dy, tokenOffsets, rowsByToken, tokens, C, dx);
}

template <class T>
DEVICE void combine_forward_of(
    const T* x,              // (N, C)
    const float* w,          // (N)
    const int* tokenOffsets, // (tokens + 1)
    const int* rowsByToken,  // (N)
    int tokens, int C,
    T* y)                    // (tokens, C)
{
    int t = warp_of_grid();
    if (t >= tokens)
        return;
    using V = typename FoursOf<T>::V;
    if (in_fours(C, x, y))
        sum_rows_of_token((const V*)x, w, tokenOffsets, rowsByToken, t, C / 4, (V*)y, false);
    else
        sum_rows_of_token(x, w, tokenOffsets, rowsByToken, t, C, y, false);
}

KERNEL combine_forward(const float* x, const float* w, const int* tokenOffsets, const int* rowsByToken, int tokens, int C, float* y)
{
    combine_forward_of(x, w, tokenOffsets, rowsByToken, tokens, C, y);
}

KERNEL combine_forward_bfloat16(
    const bfloat16* x, const float* w, const int* tokenOffsets, const int* rowsByToken, int tokens, int C, bfloat16* y)
{
    combine_forward_of(x, w, tokenOffsets, rowsByToken, tokens, C, y);
}

// ---- Combine's backward -----------------------------------------------------------------------------------------------------------------

// dx[n] = w[n]·dy[t], where dx is wanted; the lane's share of x[n]·dy[t], where x is given.
template <class V>
DEVICE float scale_token(const V* dy, const V* x, float w, int t, int n, int C, V* dx, int adds)
{
    float share = 0.0f;
    for (int c = lane(); c < C; c += WarpSize)
    {
        auto gradient = widen(t == Dropped ? V() : dy[(index_t)t * C + c]);
        if (x != nullptr)
            share += dot(widen(x[(index_t)n * C + c]), gradient);
        if (dx != nullptr)
            write(dx, adds, (index_t)n * C + c, scale(w, gradient));
    }

    return share;
}

// dx[n] = w[n]·dy[t], dw[n] = x[n]·dy[t], t = tokens[n]; zero for an unassigned row.
template <class T>
DEVICE void combine_backward_of(
    const T* dy,       // (of tokens, C)
    const T* x,        // (N, C)
    const float* w,    // (N)
    const int* tokens, // (N)
    int N, int C,
    TargetOf<T> dx,    // (N, C)
    Target dw)         // (N)
{
    int n = warp_of_grid();
    if (n >= N)
        return;
    int t = tokens[n];
    float weight = t == Dropped || !dx.wanted() ? 0.0f : w[n];
    const T* xForDw = t == Dropped || !dw.wanted() ? nullptr : x;
    using V = typename FoursOf<T>::V;
    float share = in_fours(C, dy, x) && in_fours(C, dy, dx.data)
        ? scale_token((const V*)dy, (const V*)xForDw, weight, t, n, C / 4, (V*)dx.data, dx.adds)
        : scale_token(dy, xForDw, weight, t, n, C, dx.data, dx.adds);
    share = sum_warp(share);
    if (lane() == 0 && dw.wanted())
        dw.write(n, share);
}

KERNEL combine_backward(const float* dy, const float* x, const float* w, const int* tokens, int N, int C, Target dx, Target dw)
{
    combine_backward_of(dy, x, w, tokens, N, C, dx, dw);
}

KERNEL combine_backward_bfloat16(
    const bfloat16* dy, const bfloat16* x, const float* w, const int* tokens, int N, int C, TargetOf<bfloat16> dx, Target dw)
{
    combine_backward_of(dy, x, w, tokens, N, C, dx, dw);
}
