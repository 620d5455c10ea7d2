// What routing, choices and balancing share: teams of lanes, ranks.
#pragma once

#include "common.cuh"

constexpr int Dropped = -1;         // a choice that nobody serves, a row that carries no token
constexpr int ExpertsAtOnce =
    4096; // whose counters stand in shared memory together: where there are more, blocks of the next y take the next ones

// ---- Teams: rows are often shorter than a warp ------------------------------------------------------------------------------------------

// `lanes` neighbouring lanes of a warp, a power of two, work on one row: member m on columns m, m + lanes, ... . A block has `count` teams.
struct Team
{
    int lanes, index, member, count;

    DEVICE explicit Team(int lanes) : lanes(lanes), index(threadIdx.x / lanes), member(threadIdx.x % lanes), count(blockDim.x / lanes) {}

    // All lanes of the warp come here; each team gets its own result.
    template <class T, class Op>
    DEVICE T reduce(T value, Op op) const
    {
        for (int distance = lanes / 2; distance > 0; distance /= 2)
            value = op(value, __shfl_xor_sync(AllLanes, value, distance));
        return value;
    }

    // What the team's member `from` has.
    template <class T> DEVICE T broadcast(T value, int from) const { return __shfl_sync(AllLanes, value, from, lanes); }
};

// ---- Ranks: value and place in one number -----------------------------------------------------------------------------------------------

// The smaller the larger the value, and among equals the smaller the place: one order without ties, the CPU's. NaN is below every value.
using Rank = uint64;

constexpr Rank NoRank = ~0ull; // behind every rank there is

struct Least { template <class T> DEVICE T operator()(T a, T b) const { return a < b ? a : b; } };
struct Most { template <class T> DEVICE T operator()(T a, T b) const { return a > b ? a : b; } };

// Bits that rise with the value; −0 is 0.
DEVICE uint32 rising_bits(float value)
{
    uint32 bits = value == 0.0f ? 0 : __float_as_uint(value);
    return value != value ? 0 : bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

DEVICE float from_rising_bits(uint32 rising) { return __uint_as_float(rising & 0x80000000u ? rising ^ 0x80000000u : ~rising); }

DEVICE Rank rank_of(float value, int place) { return (Rank)~rising_bits(value) << 32 | (uint32)place; }
DEVICE int place_of(Rank rank) { return (int)(uint32)rank; }
DEVICE float value_of(Rank rank) { return from_rising_bits(~(uint32)(rank >> 32)); }

// A number that exactly `wanted` of n different ranks do not exceed, 0 < wanted <= n, by halving: the last of the best. Crews of Threads
// threads, a warp or a block, come here together and all get it;
// at(i) is rank i, NoRank for one that does not count, and each thread asks for every Threads'th only.
template <int Threads, class At>
DEVICE Rank last_of_best(int n, int wanted, At at)
{
    Rank last = NoRank;
    for (Rank half = 1ull << 63; half != 0; half >>= 1)
    {
        int count = 0;
        for (int i = threadIdx.x % Threads; i < n; i += Threads)
            count += at(i) <= last - half;
        count = Threads == WarpSize ? sum_warp(count) : sum_block<Threads>(count);
        if (count >= wanted)
            last -= half;
        if (count == wanted)
            break;
    }

    return last;
}

// The ranks of a crew of Threads threads: the first Fit of them in shared memory; where there are more, the others are made anew at each
// look. Threads read back only what they wrote, so no barrier is needed.
template <int Threads, int Fit, class Make>
struct StagedRanks
{
    Rank* shared; // (Fit)
    Make make;    // from a number below n to its rank

    DEVICE StagedRanks(Rank* shared, int n, Make make) : shared(shared), make(make)
    {
        for (int i = threadIdx.x % Threads; i < n && i < Fit; i += Threads)
            shared[i] = make(i);
    }

    DEVICE Rank operator()(int i) const { return i < Fit ? shared[i] : make(i); }
};

constexpr int RanksThatFit = 4096; // 32 KB per block

// ---- The K largest of a row -------------------------------------------------------------------------------------------------------------

// The first rank from `from` on of the E values of a row: the next largest. All lanes of the warp come here.
DEVICE Rank next_rank(const float* row, int E, Rank from, const Team& team)
{
    Rank next = NoRank;
    for (int e = team.member; e < E; e += team.lanes)
    {
        Rank rank = rank_of(row[e], e);
        next = rank >= from && rank < next ? rank : next;
    }

    return team.reduce(next, Least());
}

// Calls take(k, rank) for the K largest, `largest` and on, each by another member, so that what they write lies side by side.
// All lanes of the warp come here.
template <class Take>
DEVICE void take_largest(const float* row, int E, int K, Rank largest, const Team& team, Take take)
{
    Rank rank = largest, mine = largest;
    for (int k = 0; k < K; k++)
    {
        if (k > 0)
            rank = next_rank(row, E, rank + 1, team);
        int keeper = k % team.lanes;
        if (team.member == keeper)
            mine = rank;
        if ((keeper == team.lanes - 1 || k == K - 1) && team.member <= keeper)
            take(k - keeper + team.member, mine);
    }
}

// A row that is looked through K times: in shared memory where a block has room for it (`rows`, or null).
// Members read back only what they wrote.
DEVICE const float* stage_row(const float* row, int E, const Team& team, float* rows)
{
    if (rows == nullptr)
        return row;
    float* staged = rows + team.index * E;
    for (int e = team.member; e < E; e += team.lanes)
        staged[e] = row[e];
    return staged;
}
