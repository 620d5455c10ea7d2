// Dispatch and combine: rows to their experts and back. Every sum is a gather in the order of the token's choices; a warp a token, or a row, four columns a lane.
//
// Bytes: a token's vector is read once and written to all of its rows, or its rows are read once and summed. Only combine_backward, whose rows ask for their
// token's gradient each, reads that once a choice: 1.2 times the least with two choices a token.
#include "common.cuh"

constexpr int ColumnStep = 4 * WarpSize; // from a lane's four columns to its next

DEVICE int first_column() { return 4 * lane(); }
DEVICE index_t warp_of_grid() { return first_index() / WarpSize; }

// Row n of a matrix with C columns, as its elements.
struct Row
{
    index_t start, end;

    DEVICE Row(int n, int C) : start((index_t)n * C), end(start + C) {}
    DEVICE Four load(const float* x, int c) const { return load_four(x, start + c, end); }
    DEVICE void store(float* y, int c, const Four& value) const { store_four(y, start + c, end, value); }
    DEVICE void write(const Target& y, int c, const Four& value) const { y.write_four(start + c, end, value); }
};

// The rows of a token are rowsByToken[start] to before rowsByToken[end].
struct RowsOfToken
{
    int start, end;

    DEVICE RowsOfToken(const int* tokenOffsets, int t) : start(tokenOffsets[t]), end(tokenOffsets[t + 1]) {}
};

// A warp a token. Rows that are nobody's, behind those of the last token, are shared out among the warps.
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
    RowsOfToken rows(tokenOffsets, t);
    for (int c = first_column(); c < C; c += ColumnStep)
    {
        Four value = Row(t, C).load(x, c);
        for (int i = rows.start; i < rows.end; i++)
            Row(rowsByToken[i], C).store(y, c, value);
    }

    for (index_t n = tokenOffsets[T] + t; n < N; n += T)
        for (int c = first_column(); c < C; c += ColumnStep)
            Row(n, C).store(y, c, four(0.0f));
}

// dx[t] = Σ over the rows n of token t of dy[n]. A warp a token.
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
    RowsOfToken rows(tokenOffsets, t);
    for (int c = first_column(); c < C; c += ColumnStep)
    {
        Four sum = four(0.0f);
        for (int i = rows.start; i < rows.end; i++)
        {
            Four term = Row(rowsByToken[i], C).load(dy, c);
#pragma unroll
            for (int j = 0; j < 4; j++)
                sum[j] += term[j];
        }

        Row(t, C).write(dx, c, sum);
    }
}

// y[t] = Σ over the rows n of token t of w[n]·x[n]. A warp a token.
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
    RowsOfToken rows(tokenOffsets, t);
    for (int c = first_column(); c < C; c += ColumnStep)
    {
        Four sum = four(0.0f);
        for (int i = rows.start; i < rows.end; i++)
        {
            int n = rowsByToken[i];
            float weight = w[n];
            Four term = Row(n, C).load(x, c);
#pragma unroll
            for (int j = 0; j < 4; j++)
                sum[j] += weight * term[j];
        }

        Row(t, C).store(y, c, sum);
    }
}

// dx[n] = w[n]·dy[t], dw[n] = x[n]·dy[t], t = tokens[n]; zero for a row that is nobody's. A warp a row.
KERNEL combine_backward(
    const float* dy,   // (T, C)
    const float* x,    // (N, C), for dw
    const float* w,    // (N), for dx
    const int* tokens, // (N)
    int N, int C,
    Target dx,         // (N, C)
    Target dw)         // (N)
{
    int n = warp_of_grid();
    if (n >= N)
        return;
    int t = tokens[n];
    float weight = dx.wanted() && t >= 0 ? w[n] : 0.0f, dot = 0.0f;
    for (int c = first_column(); c < C; c += ColumnStep)
    {
        Four gradient = t >= 0 ? Row(t, C).load(dy, c) : four(0.0f);
        if (dw.wanted() && t >= 0)
        {
            Four value = Row(n, C).load(x, c);
#pragma unroll
            for (int j = 0; j < 4; j++)
                dot += value[j] * gradient[j];
        }

        if (dx.wanted())
        {
#pragma unroll
            for (int j = 0; j < 4; j++)
                gradient[j] *= weight;
            Row(n, C).write(dx, c, gradient);
        }
    }

    dot = sum_warp(dot);
    if (lane() == 0 && dw.wanted())
        dw.write(n, dot);
}
