// Assignments that are balanced by construction: an auction, Sinkhorn's iteration, a bias that follows the load.
//
// The first two go round after round until they are done, and only the device knows when: one block does all rounds, so that the host need
// not ask. Bytes: each round of the auction reads the scores of the tokens that are outside, and the bids; they stay in the cache. Sinkhorn
// has its matrix in shared memory, where each round goes over it twice;
// a matrix without room there is written to global memory once and read from there.
#include "ranking.cuh"

constexpr int BlockSize = 512;
constexpr float Absent = -1e30f; // a row that begins below this is not there

DEVICE bool is_present(const float* x, int t, int E) { return !(x[(index_t)t * E] < Absent); }

// ---- Auction (Bertsekas 1992) -----------------------------------------------------------------------------------------------------------

constexpr int AuctionRounds = 100;
constexpr float LeastBidStep = 1e-4f, BidStepsOfRange = 50.0f;
constexpr float Masked = -1e8f; // a score below this is of an expert that the token must do without: it must not make the bids coarse

// What is known of the experts, 12 bytes each: in shared memory, or in global memory where that has no room.
struct Experts
{
    float* prices;
    int* bids; // how many want the expert: those who sit there, and those who bid in this round
    int* next; // where its next bid goes in the list of bids

    DEVICE Experts(int* memory, int E) : prices((float*)memory), bids(memory + E), next(memory + 2 * E) {}
};

// The best and the second best of what experts are worth to a token; the lower expert among equals.
struct Offer
{
    float first, second;
    int expert;

    DEVICE void meet(float otherFirst, float otherSecond, int otherExpert)
    {
        bool loses = otherFirst > first || (otherFirst == first && otherExpert < expert);
        second = loses ? fmaxf(first, otherSecond) : fmaxf(second, otherFirst);
        first = loses ? otherFirst : first;
        expert = loses ? otherExpert : expert;
    }
};

// A token without a seat bids for the expert that is worth most to it, score − price:
// as much as keeps it as good as the second best, and a step more.
DEVICE void bid(
    const float* scores, int t, bool bids, int E, float step, const Team& team, const Experts& experts, float* offers, int* wants)
{
    Offer best = {-Infinity, -Infinity, 0};
    for (int e = team.member; e < E && bids; e += team.lanes)
        best.meet(scores[(index_t)t * E + e] - experts.prices[e], -Infinity, e);
    for (int distance = team.lanes / 2; distance > 0; distance /= 2)
    {
        float first = __shfl_xor_sync(AllLanes, best.first, distance), second = __shfl_xor_sync(AllLanes, best.second, distance);
        best.meet(first, second, __shfl_xor_sync(AllLanes, best.expert, distance));
    }

    if (bids && team.member == 0)
    {
        wants[t] = best.expert;
        offers[t] = experts.prices[best.expert] + (E == 1 ? 0.0f : best.first - best.second) + step;
        atomicAdd(&experts.bids[best.expert], 1);
    }
}

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

// Who is still outside after the last round takes the best free seat, one token after the other. One warp.
DEVICE void take_free_seats(const float* scores, int T, int E, int seats, const Experts& experts, int* choices)
{
    for (int first = 0; first < T; first += WarpSize)
    {
        int t = first + lane();
        uint32 outside = __ballot_sync(AllLanes, t < T && choices[t] == Dropped && is_present(scores, t, E));
        for (; outside != 0; outside &= outside - 1)
        {
            int token = first + __ffs(outside) - 1;
            Rank best = NoRank;
            for (int e = lane(); e < E; e += WarpSize)
                if (experts.bids[e] < seats)
                    best = Least()(best, rank_of(scores[(index_t)token * E + e], e));
            int expert = place_of(reduce_warp(best, Least()));
            __syncwarp();
            if (lane() == 0)
            {
                choices[token] = expert;
                experts.bids[expert]++;
            }

            __syncwarp();
        }
    }
}

// One block of BlockSize threads. Dynamic shared memory: 12·E bytes, without memory.
KERNEL assign_balanced(
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

    int present = 0;
    float low = Infinity, high = -Infinity;
    for (int t = team.index; t < T; t += team.count)
    {
        bool isPresent = is_present(scores, t, E);
        for (int e = team.member; e < E && isPresent; e += lanes)
        {
            float score = scores[(index_t)t * E + e];
            low = score > Masked ? fminf(low, score) : low;
            high = score > Masked ? fmaxf(high, score) : high;
        }

        if (team.member == 0)
        {
            choices[t] = wants[t] = Dropped;
            present += isPresent;
        }
    }

    for (int e = threadIdx.x; e < E; e += BlockSize)
    {
        experts.prices[e] = 0.0f;
        experts.bids[e] = 0;
    }

    present = sum_block<BlockSize>(present);
    float range = max_block<BlockSize>(high) + max_block<BlockSize>(-low);
    int seats = ceil_div(present, E), outside = present;
    float step = fmaxf(LeastBidStep, range / BidStepsOfRange);
    for (int round = 0; round < AuctionRounds && outside > 0; round++)
    {
        __syncthreads();
        for (int first = 0; first < T; first += team.count)
        {
            int t = first + team.index;
            bid(scores, t, t < T && choices[t] == Dropped && is_present(scores, t, E), E, step, team, experts, offers, wants);
        }

        __syncthreads();
        outside = list_bids(offers, wants, T, E, seats, experts, list);
        for (int e = warp(); e < E; e += BlockSize / WarpSize)
            seat(e, seats, list, experts, choices);
    }

    __syncthreads();
    if (outside > 0 && warp() == 0)
        take_free_seats(scores, T, E, seats, experts, choices);
}

// ---- Sinkhorn's iteration ---------------------------------------------------------------------------------------------------------------

constexpr int SinkhornRounds = 100;
constexpr float SinkhornTolerance = 1e-4f, SinkhornEpsilon = 1e-8f;

// What the rounds go over: in shared memory, or in global memory where that has no room.
struct Scaling
{
    float* x; // (T, E): exp(logits − the row's largest), 0 in rows that are not there
    float* r; // (T), the factors of the rows
    float* c; // (E), and of the columns

    DEVICE Scaling(float* memory, int T, int E) : x(memory), r(memory + (index_t)T * E), c(r + T) {}
};

// Returns how many rows are there.
DEVICE int take_exponentials(const float* logits, int T, int E, const Team& team, const Scaling& s)
{
    int present = 0;
    for (int first = 0; first < T; first += team.count)
    {
        int t = first + team.index, columns = t < T ? E : 0;
        float* row = s.x + (index_t)t * E;
        float largest = -Infinity;
        for (int e = team.member; e < columns; e += team.lanes)
            largest = fmaxf(largest, row[e] = logits[(index_t)t * E + e]);
        largest = team.reduce(largest, Max());
        bool isPresent = !(team.broadcast(columns > 0 && team.member == 0 ? row[0] : Absent, 0) < Absent);
        for (int e = team.member; e < columns; e += team.lanes)
            row[e] = isPresent ? expf(row[e] - largest) : 0.0f;
        present += columns > 0 && isPresent && team.member == 0;
    }

    for (int e = threadIdx.x; e < E; e += BlockSize)
        s.c[e] = 1.0f;
    return sum_block<BlockSize>(present); // with a barrier
}

// r[t] = 1/(present·Σ_e x[t, e]·c[e]).
DEVICE void scale_rows(int present, int T, int E, const Team& team, const Scaling& s)
{
    for (int first = 0; first < T; first += team.count)
    {
        int t = first + team.index, columns = t < T ? E : 0;
        float sum = 0.0f;
        for (int e = team.member; e < columns; e += team.lanes)
            sum += s.c[e] * s.x[(index_t)t * E + e];
        sum = team.reduce(sum, Add());
        if (columns > 0 && team.member == 0)
            s.r[t] = 1.0f / (present * (sum + SinkhornEpsilon));
    }
}

// c[e] = 1/(E·Σ_t x[t, e]·r[t]); returns the mean change of c. Each team sums every count'th row, then the first team the sums of all; as
// many columns at a time as a team has lanes.
DEVICE float scale_columns(int T, int E, const Team& team, const Scaling& s)
{
    __shared__ float sums[BlockSize];
    float change = 0.0f;
    for (int first = 0; first < E; first += team.lanes)
    {
        int e = first + team.member;
        float sum = 0.0f;
        for (int t = team.index; t < T && e < E; t += team.count)
            sum += s.r[t] * s.x[(index_t)t * E + e];
        __syncthreads();
        sums[threadIdx.x] = sum;
        __syncthreads();
        if (team.index == 0 && e < E)
        {
            sum = 0.0f;
            for (int i = 0; i < team.count; i++)
                sum += sums[i * team.lanes + team.member];
            float next = 1.0f / (E * (sum + SinkhornEpsilon));
            change += fabsf(next - s.c[e]) / E;
            s.c[e] = next;
        }
    }

    return sum_block<BlockSize>(change); // with a barrier
}

// One block of BlockSize threads. Dynamic shared memory: T·E + T + E floats, without memory.
KERNEL sinkhorn(
    const float* logits, // (T, E)
    int T, int E, int lanes,
    float* memory,       // (T·E + T + E), or null
    float* plan)         // (T, E)
{
    extern __shared__ float dynamic[];
    Scaling s(memory == nullptr ? dynamic : memory, T, E);
    Team team(lanes);
    int present = take_exponentials(logits, T, E, team, s);
    float change = Infinity;
    for (int round = 0; round < SinkhornRounds && change > SinkhornTolerance; round++)
    {
        scale_rows(present, T, E, team, s);
        __syncthreads();
        change = scale_columns(T, E, team, s);
    }

    for (index_t i = threadIdx.x; i < (index_t)T * E; i += BlockSize)
        plan[i] = s.x[i] * (s.r[i / E] * s.c[i % E]);
}

// ---- A bias that follows the load -------------------------------------------------------------------------------------------------------

// One block of BlockSize threads, which keep the count of their first expert: there is seldom a second.
KERNEL step_bias(
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
