// What experts need beside their products: the sum of each one's rows (the gradient of a bias), and a row for each of its rows.
#include "experts.cuh"

constexpr int Warps = 8; // of a block

// y[e] = Σ x[n] over the rows n of e. x (N, C), offsets (E+1), y (E, C).
// A block sums 128 columns of one expert: each warp every eighth row, and the first warp the eight sums, in their order. Reads x once.
template <class T>
DEVICE void grouped_sum_of(const T* x, const int* offsets, int C, Target y)
{
    __shared__ float partial[Warps][4][WarpSize];
    int e = blockIdx.x, column = strip_column();
    Four sum = four(0.0f);
    if (column < C)
    {
        for (int n = offsets[e] + warp(), end = offsets[e + 1]; n < end; n += Warps)
        {
            Four row = load_four(x + (index_t)n * C, column, C);
#pragma unroll
            for (int j = 0; j < 4; j++)
                sum[j] += row[j];
        }
    }

#pragma unroll
    for (int j = 0; j < 4; j++)
        partial[warp()][j][lane()] = sum[j];
    __syncthreads();
    if (warp() > 0 || column >= C)
        return;
    for (int w = 1; w < Warps; w++)
    {
#pragma unroll
        for (int j = 0; j < 4; j++)
            sum[j] += partial[w][j][lane()];
    }

    Target row = {y.data + (index_t)e * C, y.adds};
    row.write_four(column, C, sum);
}

KERNEL grouped_sum(const float* x, const int* offsets, int C, Target y) { grouped_sum_of(x, offsets, C, y); }
KERNEL grouped_sum_bfloat16(const bfloat16* x, const int* offsets, int C, Target y) { grouped_sum_of(x, offsets, C, y); }

// y[n] = x[e] for the rows n of e, zero for unassigned rows. x (E, C), offsets (E+1), y (N, C).
// Walks as the epilogue of a product does: the row of an expert stays in registers. Writes y once, reads x once every eight rows at most.
KERNEL grouped_broadcast(const float* x, const int* offsets, int E, int N, int C, Target y)
{
    int column = strip_column(), first = strip_row(), end = min(first + RowsOfWarp, N);
    if (column >= C || first >= end)
        return;
    int expert = expert_of(offsets, E, first), last = first;
    Four value = four(0.0f);
    for (int n = first; n < end; n++)
    {
        if (n >= last)
        {
            while (n >= (last = end_of(offsets, E, expert)))
                expert++;
            value = expert < E ? load_four(x + (index_t)expert * C, column, C) : four(0.0f);
        }

        if (expert == E && y.adds)
            return;
        Target row = {y.data + (index_t)n * C, y.adds};
        row.write_four(column, C, value);
    }
}
