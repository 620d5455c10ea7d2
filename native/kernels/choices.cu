// Choices before they become a plan: counted, limited to the room that experts have, made by the experts themselves, looked up.
// Where an expert takes the best, a crew looks through its ranks again and again until it has found the last that is taken,
// then compares each with that one.
#include "ranking.cuh"

// Block (group, run of ExpertsAtOnce experts) of 1024 threads; dynamic shared memory for a counter per expert.
KERNEL __launch_bounds__(1024) count_choices(
    const int* choices, // (groups, T, K)
    int T, int K, int counted, int E, float scale,
    Target counts)      // (groups, E)
{
    extern __shared__ int sums[];
    int firstExpert = blockIdx.y * ExpertsAtOnce, experts = min(E - firstExpert, ExpertsAtOnce);
    for (int e = threadIdx.x; e < experts; e += blockDim.x)
        sums[e] = 0;
    __syncthreads();
    const int* ofGroup = choices + (index_t)blockIdx.x * T * K;
    for (int i = threadIdx.x; i < T * counted; i += blockDim.x)
    {
        int expert = ofGroup[i / counted * K + i % counted] - firstExpert;
        if ((uint32)expert < (uint32)experts)
            atomicAdd(&sums[expert], 1);
    }

    __syncthreads();
    for (int e = threadIdx.x; e < experts; e += blockDim.x)
        counts.write((index_t)blockIdx.x * E + firstExpert + e, scale * sums[e]);
}

KERNEL keep_choices(
    const int* choices, // (n), may be kept itself
    const float* keep,  // (n)
    int n,
    int* kept)          // (n)
{
    for (index_t i = first_index(); i < n; i += index_step())
        kept[i] = keep[i] > 0.0f ? choices[i] : Dropped;
}

// The choices come sorted by expert. Block e of 256 threads: expert e serves those that rank first: by priority, then first choices before
// second ones, then by token.
KERNEL limit_capacity(
    const int* choices,      // (T, K)
    const float* priority,   // (T, K), or null: all are equal
    const int* offsets,      // (E + 1): expert e is wanted by the choices behind rows
    const int* choicesByRow, // (T, K): offsets[e] to before offsets[e + 1]
    int T, int K, int capacity,
    int* kept)               // (T, K)
{
    __shared__ Rank shared[RanksThatFit];
    int expert = blockIdx.x, first = offsets[expert], wanted = offsets[expert + 1] - first;
    auto make = [=](int i) {
        int choice = choicesByRow[first + i], t = choice / K, k = choice - t * K;
        return rank_of(priority == nullptr ? 0.0f : priority[choice], k * T + t);
    };
    StagedRanks<256, RanksThatFit, decltype(make)> ranks(shared, wanted, make);
    Rank last = wanted > capacity ? last_of_best<256>(wanted, capacity, ranks) : NoRank;
    for (int i = threadIdx.x; i < wanted; i += blockDim.x)
    {
        Rank rank = ranks(i);
        int k = place_of(rank) / T, t = place_of(rank) - k * T;
        kept[(index_t)t * K + k] = rank <= last ? expert : Dropped;
    }

    // what was dropped before stands in no row
    for (index_t i = first_index(); i < (index_t)T * K; i += index_step())
        if (choices[i] == Dropped)
            kept[i] = Dropped;
}

// Column `expert` of a group of tokens, by a crew of Threads threads.
// Neighbouring crews read neighbouring columns, out of the same sectors.
template <int Threads, int Fit>
DEVICE void take_tokens(
    const float* scores, int T, int E, int groups, int interleaved, int active, index_t crew, Rank* shared, int* choices)
{
    int expert = crew % E, group = crew / E, size = T / groups;
    int first = interleaved ? group : group * size, step = interleaved ? groups : 1;
    auto make = [=](int i) {
        int t = first + i * step;
        float score = scores[(index_t)t * E + expert];
        return score < 0.0f ? NoRank : rank_of(score, t);
    };
    StagedRanks<Threads, Fit, decltype(make)> ranks(shared, size, make);
    int found = 0;
    for (int i = threadIdx.x % Threads; i < size; i += Threads)
        found += ranks(i) != NoRank;
    found = Threads == WarpSize ? sum_warp(found) : sum_block<Threads>(found);
    int capacity = min(found, max(1, (int)((index_t)found * active / E)));
    Rank last = capacity < found ? last_of_best<Threads>(size, capacity, ranks) : NoRank - 1;
    for (int i = threadIdx.x % Threads; i < size; i += Threads)
        choices[(index_t)(first + i * step) * E + expert] = ranks(i) <= last ? expert : Dropped;
}

// A block of 256 threads per column of a group.
KERNEL choose_tokens(
    const float* scores, // (T, E)
    int T, int E, int groups, int interleaved, int active,
    int* choices)        // (T, E): e or Dropped at [t, e]
{
    __shared__ Rank shared[RanksThatFit];
    take_tokens<256, RanksThatFit>(scores, T, E, groups, interleaved, active, blockIdx.x, shared, choices);
}

// The same, a warp per column: groups are often a few tokens, those of one position, and many.
KERNEL choose_few_tokens(const float* scores, int T, int E, int groups, int interleaved, int active, int* choices)
{
    constexpr int Warps = 256 / WarpSize, Fit = 256;
    __shared__ Rank shared[Warps][Fit];
    index_t crew = (index_t)blockIdx.x * Warps + warp();
    if (crew < (index_t)groups * E)
        take_tokens<WarpSize, Fit>(scores, T, E, groups, interleaved, active, crew, shared[warp()], choices);
}

KERNEL look_up_choices(
    const float* table, // (V, K)
    const int* ids,     // (T)
    int T, int K,
    int* choices)       // (T, K)
{
    for (index_t i = first_index(); i < (index_t)T * K; i += index_step())
        choices[i] = (int)table[(index_t)ids[i / K] * K + i % K];
}

KERNEL choose_in_groups(
    const int* groups, // (T, A)
    const int* best,   // (T, G, K)
    int T, int G, int M, int A, int K,
    int* choices)      // (T, A, K)
{
    for (index_t i = first_index(); i < (index_t)T * A * K; i += index_step())
    {
        index_t slot = i / K, t = slot / A; // slot t·A + a
        int group = groups[slot];
        choices[i] = group * M + best[(t * G + group) * K + i % K];
    }
}
