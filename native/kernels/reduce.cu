// Sums over rows and over columns, in a fixed order, and their backwards, the broadcasts. Each input is read once.
//
// What is long is summed in two launches of the same kernel: the first sums pieces into scratch memory, the second the pieces.
#include "rows.cuh"

// y[p, c] = scale·Σ x[n, c] over the rows p·rowsPerBlock to before (p + 1)·rowsPerBlock. x (N, C), y (blocks of rows, C). A block of the
// grid has a tile: up to 128 columns, one block of rows.
template <class T>
DEVICE void sum_rows_of(const T* x, float scale, int N, int C, int rowsPerBlock, Target y)
{
    Tile tile(N, C, rowsPerBlock);
    Four sum = four(0.0f);
    for (index_t n = tile.start + tile.slot; n < tile.end; n += tile.slots)
        sum = sum + load_four(x + n * C, tile.column, C);
    tile.write(sum, scale, C, y);
}

KERNEL sum_rows(const float* x, float scale, int N, int C, int rowsPerBlock, Target y) { sum_rows_of(x, scale, N, C, rowsPerBlock, y); }

KERNEL sum_rows_bfloat16(const bfloat16* x, float scale, int N, int C, int rowsPerBlock, Target y)
{
    sum_rows_of(x, scale, N, C, rowsPerBlock, y);
}

// y[n, p] = scale·Σ x[n, c] over the columns p·run to before (p + 1)·run. x (N, C), y (N, runs). A team has one run.
KERNEL sum_columns(const float* x, float scale, int N, int C, int run, Target y)
{
    int runs = max(1, ceil_div(C, run));
    Team team(run);
    each_row(team, (index_t)N * runs, [&](index_t piece, bool exists)
    {
        index_t n = piece / runs, start = piece % runs * run, end = exists ? min((index_t)C, start + run) : 0;
        Four sum = four(0.0f);
        for (int k = 0; start + team.column(k) < end; k++)
            sum = sum + load_four(x + n * C, start + team.column(k), end);

        float total = team.sum(sum_four(sum));
        if (exists && team.rank == 0)
            y.write(piece, scale * total);
    });
}

// y[n, c] = scale·x[c]. x (C), y (N, C)
KERNEL broadcast_rows(const float* x, float scale, int N, int C, Target y)
{
    Walk walk(N, C);
    for (index_t c = walk.column; c < C; c += walk.columns)
    {
        Four value = load_four(x, c, C) * scale;
        for (index_t n = walk.row; n < N; n += walk.rows)
            y.from(n * C).write_four(c, C, value);
    }
}

// y[n, c] = scale·x[n]. x (N), y (N, C)
KERNEL broadcast_columns(const float* x, float scale, int N, int C, Target y)
{
    Walk walk(N, C);
    for (index_t c = walk.column; c < C; c += walk.columns)
        for (index_t n = walk.row; n < N; n += walk.rows)
            y.from(n * C).write_four(c, C, four(scale * x[n]));
}
