// How the kernels of matrices (N, C) share them out among threads. A thread takes four neighbouring columns at a time. A block has 256
// threads.
//
// By rows, where a row is needed as a whole (norms, softmax): a team of threads has a row, 1 thread to the whole block by the length of the
// row. A thread keeps its first fours of a row in shared memory; what lies beyond (rows over 2048 columns) it reads again.
//
// By columns: a thread keeps its columns and walks down the rows. What belongs to a column stays in registers:
// the vector that meets every row, the sum.
#pragma once

#include "common.cuh"

constexpr int BlockThreads = 256;
constexpr int KeptFours = 2;

// How many threads lie side by side over C columns, four each: a power of two, at most a warp. LanesOfFours in CudaBackend.Rows.cs.
DEVICE int lanes_of(int C)
{
    int fours = C / 4 + (C % 4 > 0);
    return fours <= 1 ? 1 : min(WarpSize, 1 << (32 - __clz(fours - 1)));
}

// How many threads have a row: lanes, and more warps where they could not keep it. TeamOf in CudaBackend.Rows.cs.
DEVICE int team_of(int C)
{
    int size = lanes_of(C);
    while (size < BlockThreads && 4 * size * KeptFours < C)
        size *= 2;
    return size;
}

// ---- By rows ----------------------------------------------------------------------------------------------------------------------------

// The threads of one row. All threads of the block walk through the rows together, for they reduce together: `each_row(team, N, body)` runs
// body(n, exists) also where no row is left.
struct Team
{
    int size, rank;

    DEVICE explicit Team(int C) : size(team_of(C)), rank(threadIdx.x % size) {}

    // The first of the four columns that are this thread's number k.
    DEVICE index_t column(int k) const { return 4 * ((index_t)k * size + rank); }

    template <class Op> DEVICE float reduce(float value, Op op) const
    {
        for (int distance = min(size, WarpSize) / 2; distance > 0; distance /= 2)
            value = op(value, __shfl_xor_sync(AllLanes, value, distance));
        if (size <= WarpSize)
            return value;

        __shared__ float partial[BlockThreads / WarpSize];
        int warps = size / WarpSize, first = warp() / warps * warps;
        __syncthreads();
        if (lane() == 0)
            partial[warp()] = value;
        __syncthreads();
        value = partial[first];
        for (int i = 1; i < warps; i++)
            value = op(value, partial[first + i]);
        return value;
    }

    DEVICE float sum(float value) const { return reduce(value, Add()); }
    DEVICE float max(float value) const { return reduce(value, Max()); }
};

template <class Body>
DEVICE void each_row(const Team& team, index_t N, Body body)
{
    int rows = BlockThreads / team.size, row = threadIdx.x / team.size;
    for (index_t first = (index_t)blockIdx.x * rows; first < N; first += (index_t)gridDim.x * rows)
        body(first + row, first + row < N);
}

// A row whose beginning is kept in shared memory, each thread its own fours: no barriers.
// get() reads the rest again from where it came from.
struct KeptRow
{
    Four kept[KeptFours][BlockThreads];

    DEVICE void keep(int k, const Four& value)
    {
        if (k < KeptFours)
            kept[k][threadIdx.x] = value;
    }

    template <class T> DEVICE Four get(int k, const T* x, index_t c, int C) const
    {
        return k < KeptFours ? kept[k][threadIdx.x] : load_four(x, c, C);
    }
};

// A vector x (C) that meets every row, kept once for all teams of the block, as far as it goes.
struct SharedRow
{
    Four kept[KeptFours][BlockThreads];

    // All threads of the block come here.
    DEVICE void keep(const Team& team, const float* x, int C)
    {
        for (int k = 0; k < KeptFours && threadIdx.x < team.size; k++)
            kept[k][threadIdx.x] = load_four(x, team.column(k), C);
        __syncthreads();
    }

    DEVICE Four get(const Team& team, int k, const float* x, int C) const
    {
        return k < KeptFours ? kept[k][team.rank] : load_four(x, team.column(k), C);
    }
};

// ---- By columns -------------------------------------------------------------------------------------------------------------------------

// A grid that goes over (N, C) so that each thread stays in its columns:
// `for (c = column; c < C; c += columns) for (n = row; n < N; n += rows)`. The outer loop runs once, unless a row has more fours than the
// grid has threads. A thread that finds no place in a row of threads is idle.
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

// The sum of the values of the threads t, t + width, t + 2·width, ... of the block, for each t < width, a power of two, in a fixed order;
// only these threads get it. All threads of the block must come here.
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
        if (slot == 0)
            y.from((index_t)blockIdx.y * C).write_four(column, C, total * scale);
    }
};
