// The auction and Sinkhorn's iteration of balancing.cu over many blocks: for many tokens.
//
// A round is a launch or two: blocks hear of each other only when a launch ends. The host queues all the rounds there may be; the device
// counts who is outside, or notes that nothing changes any more, and what is launched after that returns at once. What a launch reads of
// the round before, and what it writes for the next, lie apart: no block depends on how far another is.
#include "balancing.cuh"

// ---- Auction ----------------------------------------------------------------------------------------------------------------------------

// What the launches know. All of it lies in global memory.
struct Auction
{
    int* terms;   // seats of an expert; the step of a bid, as its bits
    int* outside; // (AuctionRounds + 1): how many tokens have no seat before each round
    float* prices; // (E)
    int* bids;    // (2, E): how many want the expert, in even rounds and in odd ones

    DEVICE Auction(int* memory, int E)
        : terms(memory), outside(memory + 2), prices((float*)(outside + AuctionRounds + 1)), bids((int*)prices + E) {}

    DEVICE int seats() const { return terms[0]; }
    DEVICE float step() const { return __int_as_float(terms[1]); }
    DEVICE int* bids_in(int round, int E) const { return bids + (round & 1) * E; }
};

// A survey of the tokens of each block.
KERNEL __launch_bounds__(BlockSize) auction_survey(
    const float* scores, // (T, E)
    int T, int E, int lanes,
    float* surveys,      // (3, blocks): present, low, high
    int* wants,          // (T)
    int* choices)        // (T)
{
    Team team(lanes);
    Survey survey;
    for (int t = blockIdx.x * team.count + team.index; t < T; t += gridDim.x * team.count)
        survey.add(scores, t, E, team, wants, choices);
    survey.join();
    if (threadIdx.x == 0)
    {
        surveys[blockIdx.x] = __int_as_float(survey.present);
        surveys[gridDim.x + blockIdx.x] = survey.low;
        surveys[2 * gridDim.x + blockIdx.x] = survey.high;
    }
}

// The terms, from all surveys. One block; there are at most BlockSize surveys.
KERNEL __launch_bounds__(BlockSize) auction_open(const float* surveys, int count, int E, int* memory)
{
    Auction auction(memory, E);
    Survey survey;
    if (threadIdx.x < count)
    {
        survey.present = __float_as_int(surveys[threadIdx.x]);
        survey.low = surveys[count + threadIdx.x];
        survey.high = surveys[2 * count + threadIdx.x];
    }

    survey.join();
    for (int e = threadIdx.x; e < E; e += BlockSize)
    {
        auction.prices[e] = 0.0f;
        auction.bids[e] = 0;
    }

    if (threadIdx.x == 0)
    {
        auction.terms[0] = ceil_div(survey.present, E);
        auction.terms[1] = __float_as_int(survey.step());
        auction.outside[0] = survey.present;
    }
}

// A team per token: who is outside bids.
KERNEL __launch_bounds__(BlockSize) auction_bid(
    int round,
    const float* scores, // (T, E)
    int T, int E, int lanes, int* memory,
    float* offers,       // (T): the last bid of each token
    int* wants,          // (T): the expert it sits at or bids for
    const int* choices)  // (T)
{
    Auction auction(memory, E);
    if (auction.outside[round] == 0)
        return;
    Team team(lanes);
    float step = auction.step();
    for (int first = blockIdx.x * team.count; first < T; first += gridDim.x * team.count)
    {
        int t = first + team.index;
        bool isOutside = t < T && choices[t] == Dropped && is_present(scores, t, E);
        bid(scores, t, isOutside, E, step, team, auction.prices, auction.bids_in(round, E), offers, wants);
    }
}

// The ranks of those who want an expert, in any order. A warp has 32 tokens at a time.
DEVICE void list_bids(int expert, const float* offers, const int* wants, int T, Rank* list)
{
    __shared__ int listed;
    if (threadIdx.x == 0)
        listed = 0;
    __syncthreads();
    for (int first = warp() * WarpSize; first < T; first += BlockSize)
    {
        int t = first + lane(), place = 0;
        bool bids = t < T && wants[t] == expert;
        uint32 bidders = __ballot_sync(AllLanes, bids);
        if (bidders == 0)
            continue;
        if (lane() == 0)
            place = atomicAdd(&listed, __popc(bidders));
        place = __shfl_sync(AllLanes, place, 0) + __popc(bidders & ((1u << lane()) - 1));
        if (bids)
            list[place] = rank_of(offers[t], t);
    }

    __syncthreads();
}

// A block per expert: it keeps its highest bids, the lowest of them is its price once its seats are taken.
KERNEL __launch_bounds__(BlockSize) auction_seat(
    int round, int T, int E, int* memory,
    const float* offers, // (T)
    const int* wants,    // (T)
    Rank* list,          // (T): the bids by expert
    int* choices)        // (T)
{
    __shared__ Rank shared[RanksThatFit];
    Auction auction(memory, E);
    int expert = blockIdx.x;
    bool tells = expert == 0 && threadIdx.x == 0;
    if (auction.outside[round] == 0)
    {
        if (tells)
            auction.outside[round + 1] = 0;
        return;
    }

    const int* bidsOf = auction.bids_in(round, E);
    int seats = auction.seats(), before = 0, unseated = 0;
    for (int e = threadIdx.x; e < E; e += BlockSize)
    {
        before += e < expert ? bidsOf[e] : 0;
        unseated += max(0, bidsOf[e] - seats);
    }

    Rank* mine = list + sum_block<BlockSize>(before);
    unseated = sum_block<BlockSize>(unseated);
    if (tells)
        auction.outside[round + 1] = unseated;

    list_bids(expert, offers, wants, T, mine);
    int bids = bidsOf[expert];
    auto listed = [=](int i) { return mine[i]; };
    StagedRanks<BlockSize, RanksThatFit, decltype(listed)> ranks(shared, bids, listed);
    Rank last = bids > seats ? last_of_best<BlockSize>(bids, seats, ranks) : NoRank - 1, lowest = 0;
    for (int i = threadIdx.x; i < bids; i += BlockSize)
    {
        Rank rank = ranks(i);
        bool seated = rank <= last;
        choices[place_of(rank)] = seated ? expert : Dropped;
        lowest = seated ? Most()(lowest, rank) : lowest;
    }

    lowest = reduce_block<BlockSize>(lowest, Rank(0), Most());
    if (threadIdx.x == 0)
    {
        if (bids >= seats)
            auction.prices[expert] = value_of(lowest);
        auction.bids_in(round + 1, E)[expert] = min(bids, seats);
    }
}

// After the last round. One block.
KERNEL __launch_bounds__(BlockSize) auction_close(const float* scores, int T, int E, int* memory, int* choices)
{
    Auction auction(memory, E);
    if (auction.outside[AuctionRounds] > 0)
        take_free_seats(scores, T, E, auction.seats(), auction.bids_in(AuctionRounds, E), choices);
}

// ---- Sinkhorn's iteration ---------------------------------------------------------------------------------------------------------------
//
// Each block has a piece of the rows. A round makes the columns' factors of the piecewise sums of the round before, every block for itself
// and in the same order; then its rows' factors, and the sums of its piece. x (T, E) lies where the plan will be.

struct Iteration
{
    int pieces, E;
    float* r;       // (T): the factors of the rows
    float* columns; // (3, E): and of the columns, in even rounds, in odd ones, and for good
    float* sums;    // (2, pieces, E): Σ_t x[t, e]·r[t] over the tokens of a piece
    int* present;   // (pieces): tokens that are there
    int* done;      // (2): whether the factors stay as they are

    DEVICE Iteration(float* memory, int T, int E, int pieces) : pieces(pieces), E(E), r(memory)
    {
        columns = r + T;
        sums = columns + 3 * E;
        present = (int*)(sums + 2ll * pieces * E);
        done = present + pieces;
    }

    DEVICE float* columns_in(int round) const { return columns + (round & 1) * E; }
    DEVICE float* sums_in(int round) const { return sums + (index_t)(round & 1) * pieces * E; }

    // The columns' factors at the beginning of a round, into c (E), in shared memory; returns whether they are those for good. All threads
    // of the block come here.
    DEVICE bool begin(int round, const Team& team, float* c) const
    {
        if (round > 0 && done[(round - 1) & 1] != 0)
        {
            for (int e = threadIdx.x; e < E; e += BlockSize)
                c[e] = columns[2 * E + e];
            if (blockIdx.x == 0 && threadIdx.x == 0)
                done[round & 1] = 1;
            __syncthreads();
            return true;
        }

        float change = round == 0 ? Infinity : 0.0f; // the mean change of c
        if (round == 0)
        {
            for (int e = threadIdx.x; e < E; e += BlockSize)
                c[e] = 1.0f;
        }
        else
        {
            const float* last = columns_in(round - 1);
            const float* parts = sums_in(round - 1);
            sum_columns(0, pieces, E, team, [&](int piece, int e) { return parts[(index_t)piece * E + e]; }, [&](int e, float sum)
            {
                c[e] = column_factor(E, sum);
                change += fabsf(c[e] - last[e]) / E;
            });
        }

        change = sum_block<BlockSize>(change); // with a barrier
        bool isDone = !(change > SinkhornTolerance);
        for (int e = threadIdx.x; e < E && blockIdx.x == 0; e += BlockSize)
            (isDone ? columns + 2 * E : columns_in(round))[e] = c[e];
        if (blockIdx.x == 0 && threadIdx.x == 0)
            done[round & 1] = isDone;
        return isDone;
    }
};

KERNEL __launch_bounds__(BlockSize) sinkhorn_start(
    const float* logits, // (T, E)
    int T, int E, int lanes, int rowsPerPiece,
    float* memory,
    float* x)            // (T, E)
{
    int start = blockIdx.x * rowsPerPiece, end = min(T, start + rowsPerPiece);
    int present = take_exponentials(logits, start, end, E, Team(lanes), x);
    if (threadIdx.x == 0)
        Iteration(memory, T, E, gridDim.x).present[blockIdx.x] = present;
}

// Dynamic shared memory: E floats.
KERNEL __launch_bounds__(BlockSize) sinkhorn_round(int round, const float* x, int T, int E, int lanes, int rowsPerPiece, float* memory)
{
    extern __shared__ float c[];
    Iteration all(memory, T, E, gridDim.x);
    Team team(lanes);
    if (all.begin(round, team, c))
        return;
    int start = blockIdx.x * rowsPerPiece, end = min(T, start + rowsPerPiece), present = 0;
    for (int piece = threadIdx.x; piece < all.pieces; piece += BlockSize)
        present += all.present[piece];
    scale_rows(sum_block<BlockSize>(present), start, end, E, team, x, c, all.r);
    __syncthreads();
    float* sums = all.sums_in(round) + (index_t)blockIdx.x * E;
    sum_columns(start, end, E, team, [&](int t, int e) { return all.r[t] * x[(index_t)t * E + e]; }, [&](int e, float sum)
    {
        sums[e] = sum;
    });
}

// plan = x·r·c, where x is. Dynamic shared memory: E floats.
KERNEL __launch_bounds__(BlockSize) sinkhorn_plan(int T, int E, int lanes, int rowsPerPiece, float* memory, float* plan)
{
    extern __shared__ float c[];
    Iteration all(memory, T, E, gridDim.x);
    all.begin(SinkhornRounds, Team(lanes), c);
    int start = blockIdx.x * rowsPerPiece, end = min(T, start + rowsPerPiece);
    for (index_t i = (index_t)start * E + threadIdx.x; i < (index_t)end * E; i += BlockSize)
        plan[i] *= all.r[i / E] * c[i % E];
}
