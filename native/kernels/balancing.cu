// Assignments that are balanced by construction: an auction, Sinkhorn's iteration, a bias that follows the load.
//
// The first two go round after round until they are done, and only the device knows when: one block does all rounds, so that the host need not ask.
// Bytes: each round of the auction reads the scores of the tokens that are outside, each round of Sinkhorn the matrix twice; both stay in the cache.
#include "ranking.cuh"

constexpr int BlockSize = 512;
constexpr float Absent = -1e30f; // a row that begins below this is not there

DEVICE bool is_present(const float* x, int t, int E) { return !(x[(index_t)t * E] < Absent); }

// ---- Auction (Bertsekas 1992) ------------------------------------------------------------------------------------------------------------------

constexpr int AuctionRounds = 100, BidsThatFit = 2048;
constexpr float LeastBidStep = 1e-4f, BidStepsOfRange = 50.0f;
constexpr float Masked = -1e8f; // a score below this is of an expert that the token must do without: it must not make the bids coarse

// What is known of the experts, 20 bytes each: in shared memory, or in global memory where that has no room.
struct Experts
{
    Rank* last;      // the rank of the last bid that gets a seat
    float* prices;
    int* taken;      // seats taken, with the bids of this round on top
    uint32* lowest;  // rising bits of the lowest bid that has a seat

    DEVICE Experts(void* memory, int E)
    {
        last = (Rank*)memory;
        prices = (float*)(last + E);
        taken = (int*)(prices + E);
        lowest = (uint32*)(taken + E);
    }
};

// The best and the second best of what experts are worth to a token; the lower expert among equals.
struct Offer
{
    float first, second;
    int expert;
};

struct Better
{
    DEVICE Offer operator()(const Offer& a, const Offer& b) const
    {
        bool takesA = a.first > b.first || (a.first == b.first && a.expert < b.expert);
        const Offer &best = takesA ? a : b, &other = takesA ? b : a;
        return {best.first, fmaxf(best.second, other.first), best.expert};
    }
};

// A token without a seat bids for the expert that is worth most to it, score − price: as much as keeps it as good as the second best, and a step more.
DEVICE void bid(const float* scores, int t, bool bids, int E, float step, const Team& team, const Experts& experts, float* offers, int* wants)
{
    Offer offer = {-Infinity, -Infinity, 0};
    for (int e = team.member; e < E && bids; e += team.lanes)
    {
        float worth = scores[(index_t)t * E + e] - experts.prices[e];
        offer = Better()(offer, {worth, -Infinity, e});
    }

    for (int distance = team.lanes / 2; distance > 0; distance /= 2)
    {
        Offer other = {
            __shfl_xor_sync(AllLanes, offer.first, distance), __shfl_xor_sync(AllLanes, offer.second, distance), __shfl_xor_sync(AllLanes, offer.expert, distance)};
        offer = Better()(offer, other);
    }

    if (bids && team.member == 0)
    {
        wants[t] = offer.expert;
        offers[t] = experts.prices[offer.expert] + (E == 1 ? 0.0f : offer.first - offer.second) + step;
        atomicAdd(&experts.taken[offer.expert], 1);
    }
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
                if (experts.taken[e] < seats)
                    best = Least()(best, rank_of(scores[(index_t)token * E + e], e));
            int expert = place_of(reduce_warp(best, Least()));
            __syncwarp();
            if (lane() == 0)
            {
                choices[token] = expert;
                experts.taken[expert]++;
            }

            __syncwarp();
        }
    }
}

// One block of BlockSize threads.
KERNEL assign_balanced(
    const float* scores, // (T, E)
    int T, int E, int lanes,
    float* offers,       // (T): the last bid of each token
    int* wants,          // (T): the expert it sits at or bids for
    void* memory,        // 20·E bytes, or null: they fit dynamic shared memory
    int* choices)        // (T)
{
    extern __shared__ Rank dynamic[];
    __shared__ Rank shared[BidsThatFit];
    Experts experts(memory == nullptr ? dynamic : memory, E);
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

    present = sum_block<BlockSize>(present);
    high = max_block<BlockSize>(high);
    low = -max_block<BlockSize>(-low);
    int seats = ceil_div(present, E), outside = present;
    float step = fmaxf(LeastBidStep, (high - low) / BidStepsOfRange);
    for (int e = threadIdx.x; e < E; e += BlockSize)
    {
        experts.prices[e] = 0.0f;
        experts.taken[e] = 0;
    }

    for (int round = 0; round < AuctionRounds && outside > 0; round++)
    {
        __syncthreads();
        for (int first = 0; first < T; first += team.count)
        {
            int t = first + team.index;
            bid(scores, t, t < T && choices[t] == Dropped && is_present(scores, t, E), E, step, team, experts, offers, wants);
        }

        // an expert keeps its highest bids
        __syncthreads();
        for (int e = 0; e < E; e++)
        {
            Rank last = NoRank;
            if (experts.taken[e] > seats)
            {
                auto make = [=](int t) { return wants[t] == e ? rank_of(offers[t], t) : NoRank; };
                last = Ranks<BlockSize, BidsThatFit, decltype(make)>(shared, T, make).last_of(seats);
            }

            if (threadIdx.x == 0)
            {
                experts.last[e] = last;
                experts.lowest[e] = ~0u;
            }
        }

        __syncthreads();
        int unseated = 0;
        for (int t = threadIdx.x; t < T; t += BlockSize)
        {
            int expert = wants[t];
            if (expert == Dropped)
                continue; // it is not there
            bool seated = rank_of(offers[t], t) <= experts.last[expert];
            choices[t] = seated ? expert : Dropped;
            unseated += !seated;
            if (seated)
                atomicMin(&experts.lowest[expert], rising_bits(offers[t]));
        }

        // its price is the lowest of them once its seats are taken
        outside = sum_block<BlockSize>(unseated);
        for (int e = threadIdx.x; e < E; e += BlockSize)
        {
            if (experts.taken[e] >= seats)
                experts.prices[e] = from_rising_bits(experts.lowest[e]);
            experts.taken[e] = min(experts.taken[e], seats);
        }
    }

    __syncthreads();
    if (outside > 0 && warp() == 0)
        take_free_seats(scores, T, E, seats, experts, choices);
}

// ---- Sinkhorn's iteration ------------------------------------------------------------------------------------------------------------------------

constexpr int SinkhornRounds = 100;
constexpr float SinkhornTolerance = 1e-4f, SinkhornEpsilon = 1e-8f;

// plan = exp(x − the row's largest), 0 for rows that are not there; returns how many are.
DEVICE int take_exponentials(const float* logits, int T, int E, const Team& team, float* plan)
{
    int present = 0;
    for (int first = 0; first < T; first += team.count)
    {
        int t = first + team.index, columns = t < T ? E : 0;
        index_t row = (index_t)t * E;
        float largest = -Infinity;
        bool isPresent = columns > 0 && is_present(logits, t, E);
        for (int e = team.member; e < columns && isPresent; e += team.lanes)
            largest = fmaxf(largest, logits[row + e]);
        largest = team.reduce(largest, Max());
        for (int e = team.member; e < columns; e += team.lanes)
            plan[row + e] = isPresent ? expf(logits[row + e] - largest) : 0.0f;
        present += isPresent && team.member == 0;
    }

    return sum_block<BlockSize>(present);
}

// r[t] = 1/(present·Σ_e plan[t, e]·c[e]).
DEVICE void scale_rows(const float* plan, const float* c, int present, int T, int E, const Team& team, float* r)
{
    for (int first = 0; first < T; first += team.count)
    {
        int t = first + team.index, columns = t < T ? E : 0;
        float sum = 0.0f;
        for (int e = team.member; e < columns; e += team.lanes)
            sum += c[e] * plan[(index_t)t * E + e];
        sum = team.reduce(sum, Add());
        if (columns > 0 && team.member == 0)
            r[t] = 1.0f / (present * (sum + SinkhornEpsilon));
    }
}

// c[e] = 1/(E·Σ_t plan[t, e]·r[t]); returns the mean change of c. Each team sums every count'th row, then the first team the sums of all; as many columns at a
// time as a team has lanes. sums: shared memory for a number a thread.
DEVICE float scale_columns(const float* plan, const float* r, int T, int E, const Team& team, float* sums, float* c)
{
    float change = 0.0f;
    for (int first = 0; first < E; first += team.lanes)
    {
        int e = first + team.member;
        float sum = 0.0f;
        for (int t = team.index; t < T && e < E; t += team.count)
            sum += r[t] * plan[(index_t)t * E + e];
        __syncthreads();
        sums[threadIdx.x] = sum;
        __syncthreads();
        if (team.index == 0 && e < E)
        {
            sum = 0.0f;
            for (int i = 0; i < team.count; i++)
                sum += sums[i * team.lanes + team.member];
            float next = 1.0f / (E * (sum + SinkhornEpsilon));
            change += fabsf(next - c[e]) / E;
            c[e] = next;
        }
    }

    return sum_block<BlockSize>(change);
}

// One block of BlockSize threads.
KERNEL sinkhorn(
    const float* logits, // (T, E)
    int T, int E, int lanes,
    float* r,            // (T)
    float* c,            // (E)
    float* plan)         // (T, E)
{
    __shared__ float sums[BlockSize];
    Team team(lanes);
    int present = take_exponentials(logits, T, E, team, plan);
    for (int e = threadIdx.x; e < E; e += BlockSize)
        c[e] = 1.0f;
    float change = Infinity;
    for (int round = 0; round < SinkhornRounds && change > SinkhornTolerance; round++)
    {
        __syncthreads();
        scale_rows(plan, c, present, T, E, team, r);
        __syncthreads();
        change = scale_columns(plan, r, T, E, team, sums, c);
    }

    __syncthreads();
    for (index_t i = threadIdx.x; i < (index_t)T * E; i += BlockSize)
        plan[i] *= r[i / E] * c[i % E];
}

// ---- A bias that follows the load ------------------------------------------------------------------------------------------------------------------

// One block of BlockSize threads.
KERNEL step_bias(
    const float* counts, // (E)
    int E, float rate,
    float* bias)         // (E)
{
    double sum = 0;
    for (int e = threadIdx.x; e < E; e += BlockSize)
        sum += counts[e];
    double mean = sum_block<BlockSize>(sum) / E;
    for (int e = threadIdx.x; e < E; e += BlockSize)
        bias[e] += rate * ((mean > counts[e]) - (mean < counts[e]));
}
