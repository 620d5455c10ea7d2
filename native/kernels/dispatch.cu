// Dispatch and combine: rows to their experts and back. Every sum is a gather in the order of the token's choices. A warp per token, or a
// row.
//
// Bytes: a token's vector is read once and written to all of its rows, or its rows are read once and summed. Only combine_backward, whose
// rows ask for their token's gradient each, reads that once per choice: 1.2 times the least with two choices per token. A lane takes four
// columns with one 16-byte access where all rows begin at a multiple of that, else one: V is float4 or float, C counts in V.
#include "ranking.cuh" // Dropped

DEVICE index_t warp_of_grid() { return first_index() / WarpSize; }

DEVICE bool in_fours(int C, const void* x, const void* y) { return C % 4 == 0 && is_aligned(x, 16) && is_aligned(y, 16); }

DEVICE float add(float a, float b) { return a + b; }
DEVICE float4 add(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
DEVICE float scale(float w, float a) { return w * a; }
DEVICE float4 scale(float w, float4 a) { return make_float4(w * a.x, w * a.y, w * a.z, w * a.w); }
DEVICE float dot(float a, float b) { return a * b; }
DEVICE float dot(float4 a, float4 b) { return a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w; }

template <class V>
DEVICE void write(V* y, int adds, index_t i, V value)
{
    y[i] = adds ? add(y[i], value) : value;
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

KERNEL dispatch_forward(
    const float* x,          // (T, C)
    const int* tokenOffsets, // (T + 1)
    const int* rowsByToken,  // (N)
    int N, int T, int C,
    float* y)                // (N, C)
{
    int t = warp_of_grid();
    if (t >= T)
        return;
    if (in_fours(C, x, y))
        copy_token((const float4*)x, tokenOffsets, rowsByToken, t, N, T, C / 4, (float4*)y);
    else
        copy_token(x, tokenOffsets, rowsByToken, t, N, T, C, y);
}

// ---- Sums of a token's rows: combine, and the backward of dispatch ----------------------------------------------------------------------

// y[t] = Σ over the rows n of token t of w[n]·x[n]; without w the plain sum.
template <class V>
DEVICE void sum_rows_of_token(const V* x, const float* w, const int* tokenOffsets, const int* rowsByToken, int t, int C, V* y, int adds)
{
    RowsOfToken rows(tokenOffsets, t);
    for (int c = lane(); c < C; c += WarpSize)
    {
        V sum = V();
        for (int i = rows.start; i < rows.end; i++)
        {
            int n = rowsByToken[i];
            sum = add(sum, scale(w == nullptr ? 1.0f : w[n], x[(index_t)n * C + c]));
        }

        write(y, adds, (index_t)t * C + c, sum);
    }
}

KERNEL dispatch_backward(
    const float* dy,         // (N, C)
    const int* tokenOffsets, // (T + 1)
    const int* rowsByToken,  // (N)
    int T, int C,
    Target dx)               // (T, C)
{
    int t = warp_of_grid();
    if (t >= T)
        return;
    if (in_fours(C, dy, dx.data))
        sum_rows_of_token((const float4*)dy, nullptr, tokenOffsets, rowsByToken, t, C / 4, (float4*)dx.data, dx.adds);
    else
        sum_rows_of_token(dy, nullptr, tokenOffsets, rowsByToken, t, C, dx.data, dx.adds);
}

KERNEL combine_forward(
    const float* x,          // (N, C)
    const float* w,          // (N)
    const int* tokenOffsets, // (T + 1)
    const int* rowsByToken,  // (N)
    int T, int C,
    float* y)                // (T, C)
{
    int t = warp_of_grid();
    if (t >= T)
        return;
    if (in_fours(C, x, y))
        sum_rows_of_token((const float4*)x, w, tokenOffsets, rowsByToken, t, C / 4, (float4*)y, false);
    else
        sum_rows_of_token(x, w, tokenOffsets, rowsByToken, t, C, y, false);
}

// ---- Combine's backward -----------------------------------------------------------------------------------------------------------------

// dx[n] = w[n]·dy[t], where dx is wanted; the lane's share of x[n]·dy[t], where x is given.
template <class V>
DEVICE float scale_token(const V* dy, const V* x, float w, int t, int n, int C, V* dx, int adds)
{
    float share = 0.0f;
    for (int c = lane(); c < C; c += WarpSize)
    {
        V gradient = t == Dropped ? V() : dy[(index_t)t * C + c];
        if (x != nullptr)
            share += dot(x[(index_t)n * C + c], gradient);
        if (dx != nullptr)
            write(dx, adds, (index_t)n * C + c, scale(w, gradient));
    }

    return share;
}

// dx[n] = w[n]·dy[t], dw[n] = x[n]·dy[t], t = tokens[n]; zero for an unassigned row.
KERNEL combine_backward(
    const float* dy,   // (T, C)
    const float* x,    // (N, C)
    const float* w,    // (N)
    const int* tokens, // (N)
    int N, int C,
    Target dx,         // (N, C)
    Target dw)         // (N)
{
    int n = warp_of_grid();
    if (n >= N)
        return;
    int t = tokens[n];
    float weight = t == Dropped || !dx.wanted() ? 0.0f : w[n];
    const float* xForDw = t == Dropped || !dw.wanted() ? nullptr : x;
    float share = in_fours(C, dy, dx.data) && is_aligned(x, 16)
        ? scale_token((const float4*)dy, (const float4*)xForDw, weight, t, n, C / 4, (float4*)dx.data, dx.adds)
        : scale_token(dy, xForDw, weight, t, n, C, dx.data, dx.adds);
    share = sum_warp(share);
    if (lane() == 0 && dw.wanted())
        dw.write(n, share);
}
