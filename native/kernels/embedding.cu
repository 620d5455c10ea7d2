// Rows of a table by id, and back: dtable[v] is the sum of dy over the rows n with ids[n] = v, in the order of n, without atomics on floats.
//
// The backward sorts the rows by id first (embedding_sort): a block has a range of ids, scans all ids twice and puts its rows in order. As each block scans
// everything, the blocks are few. Then each row of the table is summed (embedding_backward): dy is read once, dtable written once.
#include "rows.cuh"

constexpr int MostIdsOfBlock = 2048; // in CudaBackend.Embedding.cs too
constexpr int MostRowsOfSlot = 8;

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

// Σ dy[n] over every `step`-th row n of those from `start` to before `end`, four columns.
DEVICE Four sum_of_rows(const float* dy, const int* rows, int start, int end, int step, int column, int C)
{
    Four sum = four(0.0f);
    for (int i = start; i < end; i += step)
        sum = sum + load_four(dy + (index_t)rows[i] * C, column, C);
    return sum;
}

// dtable[v] = Σ dy[n] over the rows n of id v. dy (N, C), starts (V + 1), rows (N), dtable (V, C). A block has up to 128 columns of some ids, one for each of
// its slots: a slot sums the rows of its id alone, but where they are many, all slots do it together.
KERNEL embedding_backward(const float* dy, const int* starts, const int* rows, int V, int C, Target dtable)
{
    int width = lanes_of(C), column = 4 * (blockIdx.y * width + threadIdx.x % width), slot = threadIdx.x / width, slots = BlockThreads / width;
    int first = blockIdx.x * slots, id = first + slot;
    if (id < V)
    {
        int start = starts[id], end = starts[id + 1];
        if (end - start <= MostRowsOfSlot && (end > start || !dtable.adds))
            dtable.from((index_t)id * C).write_four(column, C, sum_of_rows(dy, rows, start, end, 1, column, C));
    }

    for (int i = first; i < min(first + slots, V); i++)
    {
        int start = starts[i], end = starts[i + 1];
        if (end - start <= MostRowsOfSlot)
            continue; // all threads of the block together
        Four sum = sum_over_slots(sum_of_rows(dy, rows, start + slot, end, slots, column, C), width);
        if (slot == 0)
            dtable.from((index_t)i * C).write_four(column, C, sum);
    }
}
