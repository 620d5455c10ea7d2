// Assignments that are balanced by construction: an auction, Sinkhorn's iteration, a bias that follows the load.
//
// The first two go round after round until they are done, and only the device knows when. Here one block does all rounds, so that the host
// need not ask: for few tokens. For many, balancing_blocks.cu has the same in a launch or two per round. Bytes: each round of the auction
// reads the scores of the tokens that are outside, and the bids; they stay in the cache. Sinkhorn has its matrix in shared memory, where
// each round goes over it twice; a matrix without room there is written to global memory once and read from there.
#include "balancing.cuh"

// ---- Auction ----------------------------------------------------------------------------------------------------------------------------

// What is known of the experts, 12 bytes each: in shared memory, or in global memory where that has no room.
struct Experts
{
    float* prices;
    int* bids; // how many want the expert: those who sit there, and those who bid in this round
    int* next; // where its next bid goes in the list of bids

    DEVICE Experts(int* memory, int E) : prices((float*)memory), bids(memory + E), next(memory + 2 * E) {}
};

// Sorts the bids by expert; the order of an expert's bids is any, but they have a rank. Returns how many find no seat.
DEVICE int list_bids(const float* offers, const int* wants, int T, int E, int seats, const Experts& experts, Rank* list)
{
    int before = 0, unseated = 0;
    for (int first = 0; first < E; first += BlockSize)
    {
        int e = first + threadIdx.x, bids = e < E ? experts.bids[e] : 0, total;
        int start = before + sum_before<BlockSize>(bids, total);
        if (e < E)
            experts.next[e] = start;
        unseated += max(0, bids - seats);
        before += total;
    }

    __syncthreads();
    for (int t = threadIdx.x; t < T; t += BlockSize)
        if (wants[t] != Dropped)
            list[atomicAdd(&experts.next[wants[t]], 1)] = rank_of(offers[t], t);
    return sum_block<BlockSize>(unseated); // with a barrier: the list is complete
}

// An expert keeps its highest bids, the lowest of them is its price once its seats are taken. A warp.
DEVICE void seat(int expert, int seats, const Rank* list, const Experts& experts, int* choices)
{
    int bids = experts.bids[expert];
    const Rank* ranks = list + experts.next[expert] - bids;
    Rank last = bids > seats ? last_of_best<WarpSize>(bids, seats, [=](int i) { return ranks[i]; }) : NoRank - 1;
    Rank lowest = 0;
    for (int i = lane(); i < bids; i += WarpSize)
    {
        bool seated = ranks[i] <= last;
        choices[place_of(ranks[i])] = seated ? expert : Dropped;
        lowest = seated && ranks[i] > lowest ? ranks[i] : lowest;
    }

    lowest = reduce_warp(lowest, Most());
    __syncwarp(); // every lane has read the number of bids, which the first one now replaces
    if (lane() == 0 && bids >= seats)
        experts.prices[expert] = value_of(lowest);
    if (lane() == 0)
        experts.bids[expert] = min(bids, seats);
}

// One block of BlockSize threads. Dynamic shared memory: 12·E bytes, without memory.
KERNEL __launch_bounds__(BlockSize) assign_balanced(
    const float* scores, // (T, E)
    int T, int E, int lanes,
    float* offers,       // (T): the last bid of each token
    int* wants,          // (T): the expert it sits at or bids for
    Rank* list,          // (T): the bids by expert
    int* memory,         // (3, E), or null
    int* choices)        // (T)
{
    extern __shared__ int shared[];
    Experts experts(memory == nullptr ? shared : memory, E);
    Team team(lanes);
    Survey survey;
    for (int t = team.index; t < T; t += team.count)
        survey.add(scores, t, E, team, wants, choices);
    for (int e = threadIdx.x; e < E; e += BlockSize)
    {
        experts.prices[e] = 0.0f;
        experts.bids[e] = 0;
    }

    survey.join();
    int seats = ceil_div(survey.present, E), outside = survey.present;
    float step = survey.step();
    for (int round = 0; round < AuctionRounds && outside > 0; round++)
    {
        __syncthreads();
        for (int first = 0; first < T; first += team.count)
        {
            int t = first + team.index;
            bool isOutside = t < T && choices[t] == Dropped && is_present(scores, t, E);
            bid(scores, t, isOutside, E, step, team, experts.prices, experts.bids, offers, wants);
        }

        __syncthreads();
        outside = list_bids(offers, wants, T, E, seats, experts, list);
        for (int e = warp(); e < E; e += BlockSize / WarpSize)
            seat(e, seats, list, experts, choices);
    }

    __syncthreads();
    if (outside > 0)
        take_free_seats(scores, T, E, seats, experts.bids, choices);
}

// ---- Sinkhorn's iteration ---------------------------------------------------------------------------------------------------------------

// What the rounds go over: in shared memory, or in global memory where that has no room.
struct Scaling
{
    float* x; // (T, E): exp(logits − the row's largest), 0 in rows that are not there
    float* r; // (T), the factors of the rows
    float* c; // (E), and of the columns

    DEVICE Scaling(float* memory, int T, int E) : x(memory), r(memory + (index_t)T * E), c(r + T) {}
};

// One block of BlockSize threads. Dynamic shared memory: T·E + T + E floats, without memory.
KERNEL __launch_bounds__(BlockSize) sinkhorn(
    const float* logits, // (T, E)
    int T, int E, int lanes,
    float* memory,       // (T·E + T + E), or null
    float* plan)         // (T, E)
{
    extern __shared__ float dynamic[];
    Scaling s(memory == nullptr ? dynamic : memory, T, E);
    Team team(lanes);
    for (int e = threadIdx.x; e < E; e += BlockSize)
        s.c[e] = 1.0f;
    int present = take_exponentials(logits, 0, T, E, team, s.x);
    float change = Infinity; // the mean change of c
    for (int round = 0; round < SinkhornRounds && change > SinkhornTolerance; round++)
    {
        scale_rows(present, 0, T, E, team, s.x, s.c, s.r);
        __syncthreads();
        change = 0.0f;
        sum_columns(0, T, E, team, [&](int t, int e) { return s.r[t] * s.x[(index_t)t * E + e]; }, [&](int e, float sum)
        {
            float next = column_factor(E, sum);
            change += fabsf(next - s.c[e]) / E;
            s.c[e] = next;
        });
        change = sum_block<BlockSize>(change); // with a barrier
    }

    for (index_t i = threadIdx.x; i < (index_t)T * E; i += BlockSize)
        plan[i] = s.x[i] * (s.r[i / E] * s.c[i % E]);
}

// ---- A bias that follows the load -------------------------------------------------------------------------------------------------------

// One block of BlockSize threads, which keep the count of their first expert: there is seldom a second.
KERNEL __launch_bounds__(BlockSize) step_bias(
    const float* counts, // (E)
    int E, float rate,
    float* bias)         // (E)
{
    float count = threadIdx.x < E ? counts[threadIdx.x] : 0.0f;
    double sum = count;
    for (int e = threadIdx.x + BlockSize; e < E; e += BlockSize)
        sum += counts[e];
    double mean = sum_block<BlockSize>(sum) / E;
    for (int e = threadIdx.x; e < E; e += BlockSize)
    {
        if (e >= BlockSize)
            count = counts[e];
        bias[e] += rate * ((mean > count) - (mean < count));
    }
}
