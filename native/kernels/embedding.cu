// Rows of a table by id, and back: dtable[v] is the sum of dy over the rows n with ids[n] = v, without atomics.
//
// The backward sorts the rows by id first, stably. Few are sorted in one launch (embedding_sort): each thread has an id and looks for it
// among all. Many are sorted digit by digit, each in three launches as in routing.cu: pieces of rows count their digits, one sum over all
// counts makes of each the first place of that piece with that digit, pieces put their rows there. Then each row of the table is summed
// (embedding_backward): dy is read once, dtable written once.
#include "rows.cuh"
#include "table_sum.cuh"

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

// ---- The sort of many: a warp per piece -------------------------------------------------------------------------------------------------

constexpr int DigitBits = 8, Digits = 1 << DigitBits; // as in CudaBackend.Embedding.cs
constexpr int DigitsOfLane = Digits / WarpSize;       // lane l counts the digits l, l + 32, ..., in registers

// The digits of a warp's 32 ids, bit by bit.
struct Ballot
{
    uint32 bits[DigitBits]; // the lanes whose digit has the bit
    uint32 exist;           // the lanes that have an id

    DEVICE Ballot(int digit, bool exists) : exist(__ballot_sync(AllLanes, exists))
    {
#pragma unroll
        for (int i = 0; i < DigitBits; i++)
            bits[i] = __ballot_sync(AllLanes, digit >> i & 1);
    }

    // The lanes whose id has this digit.
    DEVICE uint32 lanes_with(int digit) const
    {
        uint32 lanes = exist;
#pragma unroll
        for (int i = 0; i < DigitBits; i++)
            lanes &= digit >> i & 1 ? bits[i] : ~bits[i];
        return lanes;
    }
};

// Runs body(i, id, digit, exists) over the ids of a piece, a warp's 32 at a time; an id that is no row of the table does not exist.
template <class Body>
DEVICE void each_of_piece(const int* ids, int N, int V, int shift, int piece, int idsPerPiece, Body body)
{
    int end = min((index_t)N, (index_t)(piece + 1) * idsPerPiece);
    for (int first = piece * idsPerPiece; first < end; first += WarpSize)
    {
        int i = first + lane(), id = i < end ? ids[i] : -1;
        body(i, id, id >> shift & (Digits - 1), (uint32)id < (uint32)V);
    }
}

// ids (N); table (Digits, pieces), and behind it four zeros. A block has a piece for each warp.
KERNEL embedding_count(const int* ids, int N, int V, int shift, int idsPerPiece, int pieces, int* table)
{
    int piece = blockIdx.x * (BlockThreads / WarpSize) + warp();
    if (piece >= pieces)
        return;
    int counts[DigitsOfLane] = {};
    each_of_piece(ids, N, V, shift, piece, idsPerPiece, [&](int, int, int digit, bool exists)
    {
        Ballot ballot(digit, exists);
#pragma unroll
        for (int j = 0; j < DigitsOfLane; j++)
            counts[j] += __popc(ballot.lanes_with(j * WarpSize + lane()));
    });
#pragma unroll
    for (int j = 0; j < DigitsOfLane; j++)
        table[(j * WarpSize + lane()) * pieces + piece] = counts[j];
    if (piece == 0 && lane() < 4)
        table[Digits * pieces + lane()] = 0;
}

// One block of 1024 threads: as route_sum. n: four more than the counts; the first of them becomes the number of all ids that exist.
KERNEL __launch_bounds__(1024) embedding_sum(int n, int* table)
{
    sum_table<1024>(n, table);
}

// The next order of ids and rows (N), by this digit: sortedIds may be none, those that do not exist come last in it; rows: the order so
// far, none for that of ids. starts (V + 1), or none: where a digit begins, where it is the whole id.
KERNEL embedding_place(const int* ids, const int* rows, int N, int V, int shift, int idsPerPiece, int pieces, const int* table,
    int* sortedIds, int* sortedRows, int* starts)
{
    int piece = blockIdx.x * (BlockThreads / WarpSize) + warp();
    if (piece >= pieces)
        return;
    int next[DigitsOfLane], all = table[Digits * pieces];
#pragma unroll
    for (int j = 0; j < DigitsOfLane; j++)
    {
        int digit = j * WarpSize + lane();
        next[j] = table[digit * pieces + piece];
        if (starts != nullptr && piece == 0 && digit < V)
            starts[digit] = next[j];
    }

    if (starts != nullptr && piece == 0 && lane() == 0)
        starts[V] = all;
    each_of_piece(ids, N, V, shift, piece, idsPerPiece, [&](int i, int id, int digit, bool exists)
    {
        Ballot ballot(digit, exists);
        int place = __popc(ballot.lanes_with(digit) & ((1u << lane()) - 1));
#pragma unroll
        for (int j = 0; j < DigitsOfLane; j++)
        {
            int first = __shfl_sync(AllLanes, next[j], digit % WarpSize);
            place += digit / WarpSize == j ? first : 0;
            next[j] += __popc(ballot.lanes_with(j * WarpSize + lane()));
        }

        if (!exists)
            return;
        sortedRows[place] = rows != nullptr ? rows[i] : i;
        if (sortedIds != nullptr)
            sortedIds[place] = id;
    });
    for (index_t i = (index_t)all + piece * WarpSize + lane(); i < N && sortedIds != nullptr; i += (index_t)pieces * WarpSize)
        sortedIds[i] = -1;
}

// starts[v] = the first place of an id that is not below v. ids (N), sorted, those that do not exist last; starts (V + 1)
KERNEL embedding_starts(const int* ids, int N, int V, int* starts)
{
    index_t v = first_index();
    if (v > V)
        return;
    int low = 0, high = N;
    while (low < high)
    {
        int middle = low + (high - low) / 2;
        bool isBelow = (uint32)ids[middle] < (uint32)v;
        low = isBelow ? middle + 1 : low;
        high = isBelow ? high : middle;
    }

    starts[v] = low;
}

// ---- The sums ---------------------------------------------------------------------------------------------------------------------------

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
