// Dispatch and combine: rows to their experts and back, every sum a gather in the order of the choices. One warp a row, or a token, four columns a lane.
//
// Bytes: a token's vector is read once and written to all its rows, or summed from them; no row is touched twice. Only combine_backward reads a token's
// gradient once for each of its rows: (4·N + 1·T)/(3·N + ...) of the least, 1.2 for two choices a token.
#include "common.cuh"

// The rows of token t stand in rowsByToken from start to before end.
struct RowsOfToken
{
    int start, end;

    DEVICE RowsOfToken(const int* tokenOffsets, int t) : start(tokenOffsets[t]), end(tokenOffsets[t + 1]) {}
};

DEVICE int warp_of_grid() { return (int)(((index_t)blockIdx.x * blockDim.x + threadIdx.x) / WarpSize); }

// The first of this lane's columns and the step to its next four.
DEVICE int first_column() { return 4 * lane(); }
constexpr int ColumnStep = 4 * WarpSize;

// Row `row` of a matrix with C columns.
DEVICE index_t row_start(int row, int C) { return (index_t)row * C; }

// A warp a token; they also clear the rows that are nobody's, those behind the last token's.
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
        Four value = load_four(x + row_start(t, C), c, C);
        for (int i = rows.start; i < rows.end; i++)
            store_four(y + row_start(rowsByToken[i], C), c, C, value);
    }

    for (int n = tokenOffsets[T] + t; n < N; n += T)
        for (int c = first_column(); c < C; c += ColumnStep)
            store_four(y + row_start(n, C), c, C, four(0.0f));
}
