// Generation with nothing for the host to do between two tokens: what changes from token to token lies in device memory, so that the same
// launches, recorded once, write token after token. The next token is what the step before chose; its position is how many the cache holds.
//
// Attention of one new token. A cache of keys fills a card only when its keys are shared out: a block of 128 threads has 128 keys of one
// key head, at places that are the same however long the text is, and up to four of the query heads that share them. It turns its
// queries by the position, and where the new token's place is among its keys it turns and appends that key first (and its value); it
// makes scores, eight lanes per key, a softmax over its keys, and sums of their values. A second launch joins the chunks of each head in
// order, with the sink where there is one. Every sum has one order, whatever the room of the cache. Each key and value that is seen is
// read once by the query heads of a block.
//
// The choice. Greedy: the best of each 2048 candidates, and of those the best. Else candidates are sorted, 2048 in a block's registers,
// runs merged two by two (each candidate looks for its place in the other run), no more of them than top-k keeps; then one block makes
// weights, likeliest first, and finds where their running sum passes what top-p, and a random number, say.
#include "ranking.cuh"

constexpr int TokenPlace = 0, PositionPlace = 1, IndexPlace = 2, FailedPlace = 3, FirstChosen = 4; // as in DecodeState of Backend.Decode.cs

// ---- Attention of one new token --------------------------------------------------------------------------------------------------------

constexpr int AttentionThreads = 128;
constexpr int Chunk = 128;                  // keys of a block: KeysOfChunk in CudaBackend.Decode.cs
constexpr int KeyLanes = 8;                 // that share a key
constexpr int Teams = AttentionThreads / KeyLanes;
constexpr int MostFours = 64;               // of a head: at most 256 columns
constexpr float Log2E = 1.44269504f;

struct NewToken
{
    int H, KvHeads, D, turned, interleaved, window, room;
    float factor;                           // of a turned query
};

// Which keys a query at position `at` sees, and in which chunks they lie.
struct Visible
{
    int first, last;

    DEVICE Visible(int at, int window) : first(window > 0 ? max(0, at + 1 - window) : 0), last(at) {}
    DEVICE bool has(int key) const { return key >= first && key <= last; }
    DEVICE int first_chunk() const { return first / Chunk; }
    DEVICE int last_chunk() const { return last / Chunk; }
};

// Column d of a head x (D) turned by the angles of a position, cos, sin (turned/2); rounded as it would be kept.
template <class V> DEVICE float turned_column(const V* x, int d, const float* cos, const float* sin, int turned, int interleaved)
{
    if (d >= turned)
        return widen(x[d]);
    int half = turned / 2, pair = interleaved ? d / 2 : d % half;
    int low = interleaved ? 2 * pair : pair, high = low + (interleaved ? 1 : half);
    float a = widen(x[low]), b = widen(x[high]);
    return widen(narrow<V>(d == low ? a * cos[pair] - b * sin[pair] : b * cos[pair] + a * sin[pair]));
}

// The sums of the threads t, t + width, ... of the block for each t < width, a power of two, in a fixed order; those threads get them.
DEVICE Four sum_over_threads(Four* shared, Four value, int width)
{
    __syncthreads();
    shared[threadIdx.x] = value;
    for (int distance = AttentionThreads / 2; distance >= width; distance /= 2)
    {
        __syncthreads();
        if (threadIdx.x < distance)
            shared[threadIdx.x] = value = value + shared[threadIdx.x + distance];
    }

    return value;
}

DEVICE int threads_of_row(int D)
{
    int width = 1;
    while (4 * width < D)
        width *= 2;
    return width;
}

// Grid: chunks, then key heads times the blocks of their query heads. Each block has the new key and value for itself, and the first of
// those of a key head appends them: none waits for another.
// q (H, D), k, v (KvHeads, D), cos, sin (positions, turned/2) or null, keys, values (room, KvHeads, D);
// parts (chunks, H, D) sums with weights 2^(score − top), tops, totals (chunks, H).
template <int Heads, class V>
DEVICE void attend_chunk(const V* q, const V* k, const V* v, const float* cos, const float* sin, const NewToken& s, const int* state,
    V* keys, V* values, float* parts, float* tops, float* totals)
{
    __shared__ Four queries[Heads][MostFours], newKey[MostFours], newValue[MostFours], gathered[AttentionThreads];
    __shared__ float scores[Heads][Chunk];
    int at = state[PositionPlace], D = s.D, start = blockIdx.x * Chunk;
    Visible visible(at, s.window);
    if (at >= s.room || start > visible.last || start + Chunk <= visible.first)
        return;

    int sharing = s.H / s.KvHeads, blocks = ceil_div(sharing, Heads), keyHead = blockIdx.y / blocks, skipped = blockIdx.y % blocks * Heads;
    int head = keyHead * sharing + skipped, heads = min(Heads, sharing - skipped), fours = ceil_div(D, 4);
    index_t angles = (index_t)at * (s.turned / 2), row = (index_t)s.KvHeads * D;
    cos += angles;
    sin += angles;
    for (int h = 0; h < Heads; h++)
    {
        const V* query = q + (index_t)(head + h) * D;
        for (int d = threadIdx.x; d < 4 * fours; d += AttentionThreads)
        {
            float turned = h < heads && d < D ? turned_column(query, d, cos, sin, s.turned, s.interleaved) : 0.0f;
            ((float*)queries[h])[d] = s.factor == 1.0f ? turned : widen(narrow<V>(turned * s.factor));
        }
    }

    if (at < start + Chunk) // and at >= start: the new token's place is among these
    {
        index_t head = (index_t)keyHead * D, place = at * row + head;
        for (int d = threadIdx.x; d < 4 * fours; d += AttentionThreads)
        {
            V key = V(0), value = V(0);
            if (d < D)
            {
                key = narrow<V>(turned_column(k + head, d, cos, sin, s.turned, s.interleaved));
                value = v[head + d];
            }

            ((float*)newKey)[d] = widen(key);
            ((float*)newValue)[d] = widen(value);
            if (skipped == 0 && d < D)
            {
                keys[place + d] = key;
                values[place + d] = value;
            }
        }
    }

    __syncthreads();
    float scale = Log2E / sqrtf((float)D); // scores in powers of two
    int rank = threadIdx.x % KeyLanes, team = threadIdx.x / KeyLanes;
#pragma unroll 2
    for (int i = 0; i < Chunk / Teams; i++)
    {
        int key = start + team + Teams * i;
        bool seen = visible.has(key);
        const V* from = keys + key * row + (index_t)keyHead * D;
        float sums[Heads] = {};
        for (int c = rank; c < fours && seen; c += KeyLanes)
        {
            Four column = key == at ? newKey[c] : load_four(from, 4 * c, D, 0.0f);
#pragma unroll
            for (int h = 0; h < Heads; h++)
                sums[h] += sum_four(column * queries[h][c]);
        }

#pragma unroll
        for (int h = 0; h < Heads; h++)
        {
            float sum = reduce_lanes<KeyLanes>(sums[h], Add());
            if (rank == 0)
                scores[h][team + Teams * i] = seen ? sum * scale : -Infinity;
        }
    }

    __syncthreads();
    if (warp() < Heads)
    {
        float* row = scores[warp()], score[Chunk / WarpSize], top = -Infinity, total = 0;
#pragma unroll
        for (int i = 0; i < Chunk / WarpSize; i++)
            score[i] = row[lane() + WarpSize * i], top = fmaxf(top, score[i]);
        top = max_warp(top);
#pragma unroll
        for (int i = 0; i < Chunk / WarpSize; i++)
            total += row[lane() + WarpSize * i] = exp2f(score[i] - top);
        total = sum_warp(total);
        if (lane() == 0 && warp() < heads)
        {
            tops[(index_t)blockIdx.x * s.H + head + warp()] = top;
            totals[(index_t)blockIdx.x * s.H + head + warp()] = total;
        }
    }

    __syncthreads();
    int width = threads_of_row(D), column = 4 * (threadIdx.x % width), slot = threadIdx.x / width, slots = AttentionThreads / width;
    Four sums[Heads];
#pragma unroll
    for (int h = 0; h < Heads; h++)
        sums[h] = four(0.0f);
    int begin = max(0, visible.first - start), end = min(Chunk - 1, visible.last - start);
#pragma unroll 4
    for (int i = begin + slot; i <= end; i += slots)
    {
        if (column >= D)
            continue;
        const V* from = values + (start + i) * row + (index_t)keyHead * D;
        Four value = start + i == at ? newValue[column / 4] : load_four(from, column, D, 0.0f);
#pragma unroll
        for (int h = 0; h < Heads; h++)
            sums[h] = sums[h] + value * scores[h][i];
    }

#pragma unroll
    for (int h = 0; h < Heads; h++)
    {
        Four sum = sum_over_threads(gathered, sums[h], width);
        if (h < heads && slot == 0)
            store_four(parts + ((index_t)blockIdx.x * s.H + head + h) * D, column, D, sum);
    }
}

// y of one head: its chunks in order, each times what its weights are beside the largest score of all. sinks (H) or null, y (H, D)
template <class V>
DEVICE void join_chunks(const float* parts, const float* tops, const float* totals, const float* sinks, int H, int D, int window,
    const int* state, V* y)
{
    __shared__ Four gathered[AttentionThreads];
    int h = blockIdx.x;
    Visible visible(state[PositionPlace], window);
    int first = visible.first_chunk(), last = visible.last_chunk();
    float sink = sinks == nullptr ? -Infinity : sinks[h] * Log2E, top = sink, total = 0;
    for (int c = first + threadIdx.x; c <= last; c += AttentionThreads)
        top = fmaxf(top, tops[(index_t)c * H + h]);
    top = max_block<AttentionThreads>(top);
    for (int c = first + threadIdx.x; c <= last; c += AttentionThreads)
        total += totals[(index_t)c * H + h] * exp2f(tops[(index_t)c * H + h] - top);
    total = sum_block<AttentionThreads>(total) + exp2f(sink - top);

    int width = threads_of_row(D), column = 4 * (threadIdx.x % width), slot = threadIdx.x / width, slots = AttentionThreads / width;
    Four sum = four(0.0f);
#pragma unroll 4
    for (int c = first + slot; c <= last; c += slots)
        sum = sum + load_four(parts + ((index_t)c * H + h) * D, column, D, 0.0f) * exp2f(tops[(index_t)c * H + h] - top);
    sum = sum_over_threads(gathered, sum, width);
    if (slot == 0)
        store_four(y + (index_t)h * D, column, D, sum * (1 / total));
}

#define ATTENTION_OF_A_NEW_TOKEN(name, Heads, V)                                                                              \
    KERNEL __launch_bounds__(AttentionThreads, 8) name(const V* q, const V* k, const V* v, const float* cos, const float* sin, \
        NewToken sizes, const int* state, V* keys, V* values, float* parts, float* tops, float* totals)                       \
    {                                                                                                                         \
        attend_chunk<Heads>(q, k, v, cos, sin, sizes, state, keys, values, parts, tops, totals);                              \
    }

ATTENTION_OF_A_NEW_TOKEN(attend_new_1, 1, float)
ATTENTION_OF_A_NEW_TOKEN(attend_new_4, 4, float)
ATTENTION_OF_A_NEW_TOKEN(attend_new_bfloat16_1, 1, bfloat16)
ATTENTION_OF_A_NEW_TOKEN(attend_new_bfloat16_4, 4, bfloat16)

KERNEL __launch_bounds__(AttentionThreads) attend_new_join(const float* parts, const float* tops, const float* totals, const float* sinks,
    int H, int D, int window, const int* state, float* y)
{
    join_chunks(parts, tops, totals, sinks, H, D, window, state, y);
}

KERNEL __launch_bounds__(AttentionThreads) attend_new_join_bfloat16(const float* parts, const float* tops, const float* totals,
    const float* sinks, int H, int D, int window, const int* state, bfloat16* y)
{
    join_chunks(parts, tops, totals, sinks, H, D, window, state, y);
}

// ---- The choice of a token -------------------------------------------------------------------------------------------------------------

constexpr int Run = 2048;                   // candidates of a block: RunOfCandidates in CudaBackend.Decode.cs
constexpr int SortThreads = Run / 2;        // each has two of them
constexpr int SurveyThreads = 256;
constexpr int ChoiceThreads = 1024;
constexpr int Nowhere = 0x7FFFFFFF;

// What may be chosen: logits (V) of the W tokens in ids (W), or of the first W where that is null. Those that were there before, marked in
// seen (V) or none where it is null, are penalised.
struct Candidates
{
    const float* logits;
    const int *ids, *seen;
    int V, W;
    float penalty;

    DEVICE float value(int token, float logit) const
    {
        return seen == nullptr || seen[token] == 0 ? logit : logit < 0 ? logit * penalty : logit / penalty;
    }

    // The rank of candidate i. `failed` becomes 1 where logit i, wanted or not, is not finite.
    template <class Order> DEVICE Rank rank(int i, int& failed, Order order) const
    {
        if (i >= V)
            return NoRank;
        float logit = logits[i];
        failed |= !(fabsf(logit) < Infinity);
        if (i >= W)
            return NoRank;
        return ids == nullptr ? order(value(i, logit), i) : order(value(ids[i], logits[ids[i]]), i);
    }
};

// Greedy takes the first of the largest as TensorPrimitives.IndexOfMax, for which 0 is above −0.
struct ByBits
{
    DEVICE Rank operator()(float value, int i) const
    {
        uint32 bits = __float_as_uint(value), rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
        return (Rank)~rising << 32 | (uint32)i;
    }
};

struct ByValue { DEVICE Rank operator()(float value, int i) const { return rank_of(value, i); } };

// The best candidate of each run, and whether a logit of it is not finite. best, failed (runs of V)
KERNEL choose_survey(Candidates candidates, Rank* best, int* failed)
{
    int wrong = 0;
    Rank least = NoRank;
    for (int i = blockIdx.x * Run + threadIdx.x; i < (blockIdx.x + 1) * Run; i += SurveyThreads)
        least = Least()(least, candidates.rank(i, wrong, ByBits()));
    least = reduce_block<SurveyThreads>(least, NoRank, Least());
    wrong = reduce_block<SurveyThreads>(wrong, 0, Most());
    if (threadIdx.x == 0)
    {
        best[blockIdx.x] = least;
        failed[blockIdx.x] = wrong;
    }
}

// The ranks of each run in order, by Batcher's bitonic sort: a warp has 64 neighbours, two to a lane, and compares them without a barrier.
// ranks (W), failed (runs of V)
KERNEL __launch_bounds__(SortThreads) choose_sort(Candidates candidates, Rank* ranks, int* failed)
{
    __shared__ Rank shared[Run];
    int place[2] = {64 * warp() + lane(), 64 * warp() + lane() + WarpSize}, wrong = 0;
    Rank mine[2];
#pragma unroll
    for (int i = 0; i < 2; i++)
        mine[i] = candidates.rank(blockIdx.x * Run + place[i], wrong, ByValue());
    for (int size = 2; size <= Run; size *= 2)
    {
        for (int distance = size / 2; distance > 0; distance /= 2)
        {
            Rank other[2];
            if (distance > WarpSize)
            {
                __syncthreads();
                shared[place[0]] = mine[0];
                shared[place[1]] = mine[1];
                __syncthreads();
                other[0] = shared[place[0] ^ distance];
                other[1] = shared[place[1] ^ distance];
            }
            else if (distance == WarpSize)
            {
                other[0] = mine[1];
                other[1] = mine[0];
            }
            else
            {
                other[0] = __shfl_xor_sync(AllLanes, mine[0], distance);
                other[1] = __shfl_xor_sync(AllLanes, mine[1], distance);
            }

#pragma unroll
            for (int i = 0; i < 2; i++)
            {
                bool rises = (place[i] & size) == 0, isLower = (place[i] & distance) == 0;
                mine[i] = rises == isLower ? Least()(mine[i], other[i]) : Most()(mine[i], other[i]);
            }
        }
    }

#pragma unroll
    for (int i = 0; i < 2; i++)
        if (blockIdx.x * Run + place[i] < candidates.W)
            ranks[blockIdx.x * Run + place[i]] = mine[i];
    wrong = reduce_block<SortThreads>(wrong, 0, Most());
    if (threadIdx.x == 0)
        failed[blockIdx.x] = wrong;
}

// Two runs of `run` places become one of 2·run, of which the first `kept` are wanted. ranks, merged (W)
KERNEL choose_merge(const Rank* ranks, int W, int run, int kept, Rank* merged)
{
    for (index_t i = first_index(); i < W; i += index_step())
    {
        int start = i / run * run, place = i - start, pair = i / (2 * (index_t)run) * 2 * run, other = pair == start ? start + run : pair;
        if (place >= kept)
            continue;
        Rank mine = ranks[i];
        int low = 0, high = min(min(run, kept), W - other); // how many of the other run come before
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (ranks[other + middle] < mine)
                low = middle + 1;
            else
                high = middle;
        }

        if (place + low < kept)
            merged[pair + place + low] = mine;
    }
}

// Running sums over the kept candidates, likeliest first: each thread has neighbours of them.
struct Weights
{
    float* weights;     // (kept)
    int kept, first, last;
    double before;      // the sum of those before `first`
    double* shared;     // one

    // The sum up to candidate i: all threads of the block get it.
    DEVICE double up_to(int i) const
    {
        __syncthreads();
        if (first <= i && i < last)
        {
            double sum = before;
            for (int j = first; j <= i; j++)
                sum += weights[j];
            *shared = sum;
        }

        __syncthreads();
        return *shared;
    }

    // The first kept candidate that is(its weight, the sum with it, its number), or Nowhere: all threads get it.
    template <class Is> DEVICE int find(Is is) const
    {
        int found = Nowhere;
        double sum = before;
        for (int i = first; i < min(last, kept) && found == Nowhere; i++)
        {
            sum += weights[i];
            if (is(weights[i], sum, i))
                found = i;
        }

        return reduce_block<ChoiceThreads>(found, Nowhere, Least());
    }
};

// The sum of the threads before this one, and of all, in a fixed order.
DEVICE double sum_of_threads_before(double value, double& total)
{
    __shared__ double sums[ChoiceThreads / WarpSize];
    double inWarp = value;
    for (int distance = 1; distance < WarpSize; distance *= 2)
    {
        double left = __shfl_up_sync(AllLanes, inWarp, distance);
        inWarp += lane() >= distance ? left : 0;
    }

    if (lane() == WarpSize - 1)
        sums[warp()] = inWarp;
    __syncthreads();
    double before = 0;
    total = 0;
    for (int w = 0; w < ChoiceThreads / WarpSize; w++)
    {
        before += w < warp() ? sums[w] : 0;
        total += sums[w];
    }

    double left = __shfl_up_sync(AllLanes, inWarp, 1);
    return before + (lane() > 0 ? left : 0);
}

struct Rules
{
    float temperature, topP, minP;
};

// The place of the candidate that a uniform number chooses, as Sampler.cs; ranks (kept) in order.
DEVICE int draw(const Rank* ranks, int kept, const Rules& rules, float uniform, float* weights)
{
    __shared__ double shared;
    int each = ceil_div(kept, ChoiceThreads), first = min(kept, (int)threadIdx.x * each), last = min(kept, first + each);
    double largest = value_of(ranks[0]), own = 0, sum;
    for (int i = first; i < last; i++)
    {
        weights[i] = (float)exp(((double)value_of(ranks[i]) - largest) / (double)rules.temperature);
        own += weights[i];
    }

    double before = sum_of_threads_before(own, sum);
    Weights all{weights, kept, first, last, before, &shared};
    if (rules.topP < 1.0f)
    {
        double wanted = (double)rules.topP * sum;
        int end = all.find([&](float, double reached, int) { return reached >= wanted; });
        if (end != Nowhere)
        {
            all.kept = end + 1;
            sum = all.up_to(end);
        }
    }

    if (rules.minP > 0.0f)
    {
        int end = all.find([&](float weight, double, int i) { return i > 0 && weight < rules.minP; });
        if (end != Nowhere)
        {
            all.kept = end;
            sum = all.up_to(end - 1);
        }
    }

    double point = (double)uniform * sum;
    int chosen = all.find([&](float, double reached, int) { return reached > point; });
    return place_of(ranks[min(chosen, all.kept - 1)]);
}

// Chooses, and moves on to the next token. Greedy (temperature 0): of best (runs); else of ranks (kept), with room for weights (kept).
// Where a logit is not finite the choice is of no matter and its number is noted. ids (W) or null, seen (V) or null.
KERNEL __launch_bounds__(ChoiceThreads) choose_token(const Rank* best, const int* failed, int runs, const Rank* ranks, int kept,
    Rules rules, Stream stream, const int* ids, int* seen, float* weights, int remembered, int* state)
{
    int index = state[IndexPlace], wrong = 0, place = 0;
    for (int i = threadIdx.x; i < runs; i += ChoiceThreads)
        wrong |= failed[i];
    wrong = reduce_block<ChoiceThreads>(wrong, 0, Most());
    if (wrong == 0 && rules.temperature == 0.0f)
    {
        Rank least = NoRank;
        for (int i = threadIdx.x; i < runs; i += ChoiceThreads)
            least = Least()(least, best[i]);
        place = place_of(reduce_block<ChoiceThreads>(least, NoRank, Least()));
    }
    else if (wrong == 0)
    {
        stream.step = index;
        place = draw(ranks, kept, rules, stream.uniform(0), weights);
    }

    if (threadIdx.x > 0)
        return;
    int token = ids == nullptr ? place : ids[place];
    if (wrong != 0 && state[FailedPlace] < 0)
        state[FailedPlace] = index;
    if (seen != nullptr)
        seen[token] = 1;
    state[TokenPlace] = token;
    state[PositionPlace]++;
    state[IndexPlace] = index + 1;
    state[FirstChosen + index % remembered] = token;
}
