// How the kernels of matrices (N, C) share them out among threads. A thread takes four neighbouring columns at a time. A block has 256 threads.
//
// By rows, where a row is needed as a whole (norms, softmax): a team of threads has a row. Rows of up to 512 columns have a team of 1 to 32 lanes of a
// warp, longer ones the whole block. A thread keeps its first fours of a row in registers; what lies beyond (rows over 4096 columns) it reads again.
//
// By columns: a thread keeps its columns and walks down the rows. What belongs to a column stays in registers: the vector that meets every row, the sum.
#pragma once

#include "common.cuh"

constexpr int BlockThreads = 256;
constexpr int KeptFours = 4;
constexpr int MostLaneColumns = 4 * WarpSize * KeptFours; // MostLaneColumns in CudaBackend.Rows.cs

// How many threads take a row of C columns, four each: a power of two, at most a warp. LanesOf in CudaBackend.Rows.cs.
DEVICE int lanes_of(int C)
{
    int fours = C / 4 + (C % 4 > 0);
    return fours <= 1 ? 1 : min(WarpSize, 1 << (32 - __clz(fours - 1)));
}

// ---- By rows ----------------------------------------------------------------------------------------------------------------------------

// Some lanes of a warp. All lanes of the warp must reduce together.
struct LaneTeam
{
    int size, rank;

    DEVICE explicit LaneTeam(int C) : size(lanes_of(C)), rank(threadIdx.x % size) {}

    DEVICE index_t first_row() const { return first_index() / WarpSize * (WarpSize / size); } // of the warp
    DEVICE int row_of_team() const { return lane() / size; }
    DEVICE index_t row_step() const { return index_step() / size; }

    template <class Op> DEVICE float reduce(float value, Op op) const
    {
        for (int distance = size / 2; distance > 0; distance /= 2)
            value = op(value, __shfl_xor_sync(AllLanes, value, distance));
        return value;
    }

    DEVICE float sum(float value) const { return reduce(value, Add()); }
    DEVICE float max(float value) const { return reduce(value, Max()); }
};

// The whole block.
struct BlockTeam
{
    static constexpr int size = BlockThreads;
    int rank = threadIdx.x;

    DEVICE index_t first_row() const { return blockIdx.x; }
    DEVICE int row_of_team() const { return 0; }
    DEVICE index_t row_step() const { return gridDim.x; }

    DEVICE float sum(float value) const { return sum_block<BlockThreads>(value); }
    DEVICE float max(float value) const { return max_block<BlockThreads>(value); }
};

// Runs body(team) with the team for rows of C columns.
template <class Body>
DEVICE void with_team(int C, Body body)
{
    if (C <= MostLaneColumns)
        body(LaneTeam(C));
    else
        body(BlockTeam());
}

// Runs body(n, exists) for the team's rows. All teams of a warp come along to the end, for they reduce together: beyond the last row nothing exists.
template <class Team, class Body>
DEVICE void each_row(const Team& team, index_t N, Body body)
{
    for (index_t first = team.first_row(); first < N; first += team.row_step())
    {
        index_t n = first + team.row_of_team();
        body(n, n < N);
    }
}

// Runs body(k, c) for this thread's fours of a row of C columns: c is the first column, k < KeptFours the place in registers, KeptFours when there is none.
template <class Team, class Body>
DEVICE void each_four(const Team& team, int C, Body body)
{
#pragma unroll
    for (int k = 0; k < KeptFours; k++)
    {
        int c = 4 * (k * team.size + team.rank);
        if (c < C)
            body(k, c);
    }

    for (int c = 4 * (KeptFours * team.size + team.rank); c < C; c += 4 * team.size)
        body(KeptFours, c);
}

// A row whose beginning stays in this thread's registers. get() reads the rest again from where it came from.
struct KeptRow
{
    Four kept[KeptFours];

    DEVICE Four get(int k, const float* x, int c, int C) const { return k < KeptFours ? kept[k] : load_four(x, c, C); }

    DEVICE void keep(int k, const Four& value)
    {
        if (k < KeptFours)
            kept[k] = value;
    }
};

// ---- By columns -------------------------------------------------------------------------------------------------------------------------

// A grid that goes over (N, C) so that each thread stays in its columns: `for (c = column; c < C; c += columns) for (n = row; n < N; n += rows)`.
// The outer loop runs once, unless a row has more fours than the grid has threads. A thread that finds no place in a row of threads is idle.
struct Walk
{
    index_t column, columns, row, rows;

    DEVICE Walk(int N, int C)
    {
        uint32 threads = gridDim.x * blockDim.x, thread = blockIdx.x * blockDim.x + threadIdx.x;
        uint32 width = min(threads, (uint32)C / 4 + (C % 4 > 0));
        width = max(width, 1u);
        column = 4ll * (thread % width);
        columns = 4ll * width;
        rows = threads / width;
        row = thread / width < rows ? thread / width : N;
    }
};

// The sum of the values of the threads t, t + width, t + 2·width, ... of the block, for each t < width, a power of two, in a fixed order; only these
// threads get it. All threads of the block must come here.
DEVICE Four sum_over_slots(Four value, int width)
{
    __shared__ Four sums[BlockThreads];
    __syncthreads();
    sums[threadIdx.x] = value;
    for (int distance = BlockThreads / 2; distance >= width; distance /= 2)
    {
        __syncthreads();
        if (threadIdx.x < distance)
            sums[threadIdx.x] = value = value + sums[threadIdx.x + distance];
    }

    return value;
}

// A block of a sum over rows: its threads lie side by side over 4·width columns, and slot by slot over the rows of the block.
struct Tile
{
    int width, column, slot, slots;
    index_t start, end; // rows

    DEVICE Tile(int N, int C, int rowsPerBlock) : width(lanes_of(C)), slots(BlockThreads / width)
    {
        column = 4 * (blockIdx.x * width + threadIdx.x % width);
        slot = threadIdx.x / width;
        start = (index_t)blockIdx.y * rowsPerBlock;
        end = min((index_t)N, start + rowsPerBlock);
    }

    // Row blockIdx.y of y (blocks, C) gets scale times the block's sums.
    DEVICE void write(const Four& sum, float scale, int C, const Target& y) const
    {
        Four total = sum_over_slots(sum, width);
        if (slot > 0)
            return;
#pragma unroll
        for (int j = 0; j < 4; j++)
            total[j] *= scale;
        Target row = {y.data + (index_t)blockIdx.y * C, y.adds};
        row.write_four(column, C, total);
    }
};
