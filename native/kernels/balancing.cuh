// What the auction and Sinkhorn's iteration share whether one block does all of it (balancing.cu) or many do, launch after launch
// (balancing_blocks.cu): what is bid, who takes a free seat, the factors of rows and of columns. A block has BlockSize threads.
#pragma once

#include "ranking.cuh"

constexpr int BlockSize = 512;
constexpr float Absent = -1e30f; // a row that begins below this is not there

DEVICE bool is_present(const float* x, int t, int E) { return !(x[(index_t)t * E] < Absent); }

// ---- Auction (Bertsekas 1992) -----------------------------------------------------------------------------------------------------------

constexpr int AuctionRounds = 100; // as in CudaBackend.BalancingBlocks.cs
constexpr float LeastBidStep = 1e-4f, BidStepsOfRange = 50.0f;
constexpr float Masked = -1e8f; // a score below this is of an expert that the token must do without: it must not make the bids coarse

// What is said of a part of the tokens: how many are there, and the range of their scores.
struct Survey
{
    int present;
    float low, high;

    DEVICE Survey() : present(0), low(Infinity), high(-Infinity) {}

    // One token, by a team; nobody has it yet.
    DEVICE void add(const float* scores, int t, int E, const Team& team, int* wants, int* choices)
    {
        bool isPresent = is_present(scores, t, E);
        for (int e = team.member; e < E && isPresent; e += team.lanes)
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

    // That of the whole block, in all threads.
    DEVICE void join()
    {
        present = sum_block<BlockSize>(present);
        high = max_block<BlockSize>(high);
        low = -max_block<BlockSize>(-low);
    }

    DEVICE float step() const { return fmaxf(LeastBidStep, (high + -low) / BidStepsOfRange); }
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
// as much as keeps it as good as the second best, and a step more. bids: how many want each expert.
DEVICE void bid(const float* scores, int t, bool isOutside, int E, float step, const Team& team, const float* prices, int* bids,
    float* offers, int* wants)
{
    if (__ballot_sync(AllLanes, isOutside) == 0)
        return; // all tokens of the warp sit
    Offer best = {-Infinity, -Infinity, 0};
    for (int e = team.member; e < E && isOutside; e += team.lanes)
        best.meet(scores[(index_t)t * E + e] - prices[e], -Infinity, e);
    for (int distance = team.lanes / 2; distance > 0; distance /= 2)
    {
        float first = __shfl_xor_sync(AllLanes, best.first, distance), second = __shfl_xor_sync(AllLanes, best.second, distance);
        best.meet(first, second, __shfl_xor_sync(AllLanes, best.expert, distance));
    }

    if (isOutside && team.member == 0)
    {
        wants[t] = best.expert;
        offers[t] = prices[best.expert] + (E == 1 ? 0.0f : best.first - best.second) + step;
        atomicAdd(&bids[best.expert], 1);
    }
}

// The best seat that is free for a token. A warp; bids: how many sit at each expert.
DEVICE void take_free_seat(const float* scores, int token, int E, int seats, int* bids, int* choices)
{
    Rank best = NoRank;
    for (int e = lane(); e < E; e += WarpSize)
        if (bids[e] < seats)
            best = Least()(best, rank_of(scores[(index_t)token * E + e], e));
    int expert = place_of(reduce_warp(best, Least()));
    __syncwarp();
    if (lane() == 0)
    {
        choices[token] = expert;
        bids[expert]++;
    }

    __syncwarp();
}

// Who is still outside after the last round takes the best free seat, one token after the other: the block looks for them, its first warp
// seats them.
DEVICE void take_free_seats(const float* scores, int T, int E, int seats, int* bids, int* choices)
{
    __shared__ uint32 outside[BlockSize / WarpSize];
    for (int first = 0; first < T; first += BlockSize)
    {
        int t = first + threadIdx.x;
        uint32 ofWarp = __ballot_sync(AllLanes, t < T && choices[t] == Dropped && is_present(scores, t, E));
        if (lane() == 0)
            outside[warp()] = ofWarp;
        __syncthreads();
        for (int w = 0; w < BlockSize / WarpSize && warp() == 0; w++)
            for (uint32 left = outside[w]; left != 0; left &= left - 1)
                take_free_seat(scores, first + w * WarpSize + __ffs(left) - 1, E, seats, bids, choices);
        __syncthreads();
    }
}

// ---- Sinkhorn's iteration ---------------------------------------------------------------------------------------------------------------

constexpr int SinkhornRounds = 100; // as in CudaBackend.BalancingBlocks.cs
constexpr float SinkhornTolerance = 1e-4f, SinkhornEpsilon = 1e-8f;

// x[t, e] = exp(logits − the row's largest), 0 in rows that are not there, of the tokens from start to before end; returns how many of them
// are there. All threads of the block come here; x (T, E).
DEVICE int take_exponentials(const float* logits, int start, int end, int E, const Team& team, float* x)
{
    int present = 0;
    for (int first = start; first < end; first += team.count)
    {
        int t = first + team.index, columns = t < end ? E : 0;
        float* row = x + (index_t)t * E;
        float largest = -Infinity;
        for (int e = team.member; e < columns; e += team.lanes)
            largest = fmaxf(largest, row[e] = logits[(index_t)t * E + e]);
        largest = team.reduce(largest, Max());
        bool isPresent = !(team.broadcast(columns > 0 && team.member == 0 ? row[0] : Absent, 0) < Absent);
        for (int e = team.member; e < columns; e += team.lanes)
            row[e] = isPresent ? expf(row[e] - largest) : 0.0f;
        present += columns > 0 && isPresent && team.member == 0;
    }

    return sum_block<BlockSize>(present); // with a barrier
}

// r[t] = 1/(present·Σ_e x[t, e]·c[e]), of the same tokens. r (T), c (E)
DEVICE void scale_rows(int present, int start, int end, int E, const Team& team, const float* x, const float* c, float* r)
{
    for (int first = start; first < end; first += team.count)
    {
        int t = first + team.index, columns = t < end ? E : 0;
        float sum = 0.0f;
        for (int e = team.member; e < columns; e += team.lanes)
            sum += c[e] * x[(index_t)t * E + e];
        sum = team.reduce(sum, Add());
        if (columns > 0 && team.member == 0)
            r[t] = 1.0f / (present * (sum + SinkhornEpsilon));
    }
}

// The factor of a column, from Σ_t x[t, e]·r[t].
DEVICE float column_factor(int E, float sum) { return 1.0f / (E * (sum + SinkhornEpsilon)); }

// take(e, Σ_t term(t, e)) over the rows from start to before end, by one thread per column. Each team sums every count'th row, then the
// first team the sums of all; as many columns at a time as a team has lanes. All threads of the block come here.
template <class Term, class Take>
DEVICE void sum_columns(int start, int end, int E, const Team& team, Term term, Take take)
{
    __shared__ float sums[BlockSize];
    for (int first = 0; first < E; first += team.lanes)
    {
        int e = first + team.member;
        float sum = 0.0f;
        for (int t = start + team.index; t < end && e < E; t += team.count)
            sum += term(t, e);
        __syncthreads();
        sums[threadIdx.x] = sum;
        __syncthreads();
        if (team.index == 0 && e < E)
        {
            sum = 0.0f;
            for (int i = 0; i < team.count; i++)
                sum += sums[i * team.lanes + team.member];
            take(e, sum);
        }
    }
}
