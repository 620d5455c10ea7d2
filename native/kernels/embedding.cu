// Rows of a table by id, and back: dtable[v] is the sum of dy over the rows n with ids[n] = v, in the order of n, without atomics on floats.
//
// The backward sorts the rows by id first (embedding_sort): a block has a range of ids, scans all ids twice and puts its rows in order. As each block scans
// everything, the blocks are few. Then a block has one row of the table (embedding_backward): dy is read once, dtable written once.
#include "rows.cuh"

constexpr int MostIdsOfBlock = 2048; // in CudaBackend.Embedding.cs too

// y[n] = table[ids[n]]; NaN for an id that is no row of the table, as a kernel cannot throw. table (V, C), ids (N), y (N, C)
KERNEL embedding_forward(const float* table, const int* ids, int N, int V, int C, float* y)
{
    Walk walk(N, C);
    for (index_t c = walk.column; c < C; c += walk.columns)
    {
        for (index_t n = walk.row; n < N; n += walk.rows)
        {
            index_t id = ids[n];
            Four value = id >= 0 && id < V ? load_four(table + id * C, c, C) : four(__int_as_float(0x7FC00000)); // a quiet NaN
            store_four(y + n * C, c, C, value);
        }
    }
}

// A stable sort by counting: id v has the rows rows[starts[v]] to before rows[starts[v + 1]], in order. Block b has the ids b·idsPerBlock and on.
// ids (N), starts (V + 1), rows (N)
KERNEL embedding_sort(const int* ids, int N, int V, int idsPerBlock, int* starts, int* rows)
{
    __shared__ int next[MostIdsOfBlock]; // how often an id occurs, then where its next row goes
    int first = blockIdx.x * idsPerBlock, count = min(idsPerBlock, V - first);
    for (int i = threadIdx.x; i < count; i += BlockThreads)
        next[i] = 0;
    __syncthreads();

    int below = 0; // rows with ids before this block's
    for (index_t n = threadIdx.x; n < N; n += BlockThreads)
    {
        int id = ids[n];
        below += id >= 0 && id < first;
        if (id >= first && id - first < count)
            atomicAdd(&next[id - first], 1);
    }

    below = sum_block<BlockThreads>(below); // its barriers end the counting
    if (warp() > 0)
        return;

    // One warp goes on alone. Counts become places: a running sum, 32 ids at a time.
    for (int i = 0; i < count; i += WarpSize)
    {
        int id = i + lane(), here = id < count ? next[id] : 0, upToHere = here;
#pragma unroll
        for (int distance = 1; distance < WarpSize; distance *= 2)
        {
            int before = __shfl_up_sync(AllLanes, upToHere, distance);
            upToHere += lane() >= distance ? before : 0;
        }

        if (id < count)
            starts[first + id] = next[id] = below + upToHere - here;
        below += __shfl_sync(AllLanes, upToHere, WarpSize - 1);
    }

    if (first + count == V && lane() == 0)
        starts[V] = below;
    __syncwarp();

    // Each row to its place, 32 rows at a time: lanes of the same id take places in the order of the lanes.
    for (index_t start = 0; start < N; start += WarpSize)
    {
        index_t n = start + lane();
        int id = n < N ? ids[n] - first : -1;
        bool mine = id >= 0 && id < count;
        uint32 same = __match_any_sync(AllLanes, mine ? id : -1), before = same & ((1u << lane()) - 1);
        int place = mine ? next[id] + __popc(before) : 0;
        __syncwarp();
        if (mine)
        {
            rows[place] = (int)n;
            if (before == 0)
                next[id] = place + __popc(same);
        }

        __syncwarp();
    }
}

// dtable[v] = Σ dy[n] over the rows n of id v. dy (N, C), starts (V + 1), rows (N), dtable (V, C). A block has row v and up to 128 columns
KERNEL embedding_backward(const float* dy, const int* starts, const int* rows, int V, int C, Target dtable)
{
    int width = lanes_of(C), column = 4 * (blockIdx.y * width + threadIdx.x % width), slot = threadIdx.x / width, slots = BlockThreads / width;
    for (index_t v = blockIdx.x; v < V; v += gridDim.x)
    {
        int start = starts[v], end = starts[v + 1];
        if (start == end && dtable.adds)
            continue;
        Four sum = four(0.0f);
        for (int i = start + slot; i < end; i += slots)
            sum = sum + load_four(dy + (index_t)rows[i] * C, column, C);
        if (end - start > 1)
            sum = sum_over_slots(sum, width); // the same way for all threads
        if (slot == 0)
            dtable.from(v * C).write_four(column, C, sum);
    }
}
