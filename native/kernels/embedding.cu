// Rows of a table by id, and back: dtable[v] is the sum of dy over the rows n with ids[n] = v, without atomics.
//
// The backward sorts the rows by id first (embedding_sort): each thread has an id and looks for it among all. Then each row of the table is
// summed (embedding_backward): dy is read once, dtable written once.
#include "rows.cuh"

constexpr int IdsAtOnce = 1024;   // that a block looks through together
constexpr int MostRowsOfSlot = 8;

// y[n] = table[ids[n]]; NaN for an id that is no row of the table, as a kernel cannot throw. table (V, C), ids (N), y (N, C)
template <class T>
DEVICE void embedding_forward_of(const T* table, const int* ids, int N, int V, int C, T* y)
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

KERNEL embedding_forward(const float* table, const int* ids, int N, int V, int C, float* y)
{
    embedding_forward_of(table, ids, N, V, C, y);
}

KERNEL embedding_forward_bfloat16(const bfloat16* table, const int* ids, int N, int V, int C, bfloat16* y)
{
    embedding_forward_of(table, ids, N, V, C, y);
}

// Runs body(n, id) in each thread for all ids (N) in order, −1 for what lies beyond.
// They come through shared memory, where all lanes read the same four.
template <class Body>
DEVICE void each_id(const int* ids, int N, Body body)
{
    __shared__ int4 chunk[IdsAtOnce / 4];
    for (index_t start = 0; start < N; start += IdsAtOnce)
    {
        int count = (int)min((index_t)IdsAtOnce, N - start);
        __syncthreads();
        for (int i = threadIdx.x; i < IdsAtOnce; i += BlockThreads)
            ((int*)chunk)[i] = i < count ? ids[start + i] : -1;
        __syncthreads();
        for (int i = 0; 4 * i < count; i++)
        {
            int4 four = chunk[i];
            int n = (int)start + 4 * i;
            body(n, four.x);
            body(n + 1, four.y);
            body(n + 2, four.z);
            body(n + 3, four.w);
        }
    }
}

// A stable sort: id v has the rows rows[starts[v]] to before rows[starts[v + 1]], in order. A thread has one id; every block reads all ids
// twice. ids (N), starts (V + 1), rows (N)
KERNEL embedding_sort(const int* ids, int N, int V, int* starts, int* rows)
{
    int first = blockIdx.x * BlockThreads, mine = first + threadIdx.x, count = 0, below = 0, total;
    each_id(ids, N, [&](int, int id)
    {
        count += id == mine;
        below += (uint32)id < (uint32)first; // the same in all threads
    });

    int next = below + sum_before<BlockThreads>(count, total);
    if (mine < V)
        starts[mine] = next;
    if (mine == V - 1)
        starts[V] = next + count;
    each_id(ids, N, [&](int n, int id)
    {
        if (id == mine)
            rows[next++] = n;
    });
}

// Σ dy[n] over every `step`-th row n of those from `start` to before `end`, four columns.
template <class T> DEVICE Four sum_of_rows(const T* dy, const int* rows, int start, int end, int step, int column, int C)
{
    Four sum = four(0.0f);
    for (int i = start; i < end; i += step)
        sum = sum + load_four(dy + (index_t)rows[i] * C, column, C);
    return sum;
}

// dtable[v] = Σ dy[n] over the rows n of id v. dy (N, C), starts (V + 1), rows (N), dtable (V, C). A block has up to 128 columns of some
// ids, one for each of its slots: a slot sums the rows of its id alone, but where they are many, all slots do it together.
template <class T>
DEVICE void embedding_backward_of(const T* dy, const int* starts, const int* rows, int V, int C, Target dtable)
{
    int width = lanes_of(C), column = 4 * (blockIdx.y * width + threadIdx.x % width), slot = threadIdx.x / width,
        slots = BlockThreads / width;
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

KERNEL embedding_backward(const float* dy, const int* starts, const int* rows, int V, int C, Target dtable)
{
    embedding_backward_of(dy, starts, rows, V, C, dtable);
}

KERNEL embedding_backward_bfloat16(const bfloat16* dy, const int* starts, const int* rows, int V, int C, Target dtable)
{
    embedding_backward_of(dy, starts, rows, V, C, dtable);
}
