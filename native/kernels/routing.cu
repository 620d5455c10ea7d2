// Top-k routing, logits to plan, without a word to the host: a counting sort in three launches, or in one where there are few tokens.
//
//   1. choose   each piece of tokens chooses its experts, takes the exponentials of its gates, and counts the choices of each expert
//   2. sum      one sum over all the counts, expert by expert and piece by piece, makes of each count the first row of that piece with
//               that expert
//   3. place    each piece takes its choices in order, gives each the next row of its expert, and writes both orders of the plan and
//               the gates
//
// Pieces are consecutive tokens, so the sort is stable, and no result depends on which block runs first. The table of counts is (E + 1,
// pieces): row E counts what each piece keeps of any expert, so that the same sum also tells where each piece begins in rowsByToken.
//
// Bytes: logits are read once; the chosen experts and their exponentials are written once and read once more to be placed.
#include "ranking.cuh"
#include "table_sum.cuh"

// ---- 1. Choose and count ----------------------------------------------------------------------------------------------------------------

struct Sizes
{
    int T, E, K, tokensPerPiece;
};

// What the tokens of a piece chose, and what their gates are made of.
struct Chosen
{
    int* experts;        // (T, K)
    float* exponentials; // (T, K): exp(logit − the token's largest); a gate is this by the token's sum
    float* sums;         // (T): over the chosen, or over all; null: the exponentials are the gates already

    DEVICE float gate(index_t choice, index_t token) const
    {
        return sums == nullptr ? exponentials[choice] : exponentials[choice] / sums[token];
    }
};

// The tokens of this block's piece, and the experts whose counters it has.
struct Piece
{
    int start, end; // tokens
    int firstExpert, experts;

    DEVICE explicit Piece(const Sizes& sizes)
    {
        start = blockIdx.x * sizes.tokensPerPiece;
        end = min(sizes.T, start + sizes.tokensPerPiece);
        firstExpert = blockIdx.y * ExpertsAtOnce;
        experts = min(sizes.E - firstExpert, ExpertsAtOnce);
    }

    DEVICE bool has(int expert) const { return (uint32)(expert - firstExpert) < (uint32)experts; }
};

// The element of the table (E + 1, pieces) that counts this piece's choices of an expert, or, of expert E, all that it keeps.
DEVICE index_t cell(int expert) { return (index_t)expert * gridDim.x + blockIdx.x; }

DEVICE void clear_counts(const Piece& piece, int* counts)
{
    for (int e = threadIdx.x; e < piece.experts; e += blockDim.x)
        counts[e] = 0;
    __syncthreads();
}

DEVICE void write_counts(const Piece& piece, const int* counts, int kept, int E, int* table)
{
    __syncthreads();
    for (int e = threadIdx.x; e < piece.experts; e += blockDim.x)
        table[cell(piece.firstExpert + e)] = counts[e];
    if (threadIdx.x == 0 && blockIdx.y == 0)
        table[cell(E)] = kept;
}

// In the dynamic shared memory stand the counters, behind them the rows, if staged.
DEVICE void choose_piece(
    const float* logits, int overAll, const Sizes& sizes, int lanes, int staged, int* shared, const Chosen& chosen, int* table)
{
    int E = sizes.E, K = sizes.K;
    Piece piece(sizes);
    Team team(lanes);
    int* counts = shared;
    float* rows = staged ? (float*)(shared + min(E, ExpertsAtOnce)) : nullptr;
    bool tells = blockIdx.y == 0; // with too many experts for one block's counters, others choose the same again only to count
    clear_counts(piece, counts);
    for (int first = piece.start; first < piece.end; first += team.count)
    {
        int t = first + team.index, columns = t < piece.end ? E : 0; // a team without a token has no columns
        const float* row = stage_row(logits + (index_t)t * E, columns, team, rows);
        Rank best = next_rank(row, columns, 0, team);
        float largest = value_of(best), sum = 0.0f;
        if (overAll)
            for (int e = team.member; e < columns; e += team.lanes)
                sum += expf(row[e] - largest);
        take_largest(row, columns, K, best, team, [&](int k, Rank rank) {
            if (columns == 0)
                return;
            int expert = place_of(rank);
            float exponential = expf(value_of(rank) - largest);
            if (tells)
            {
                chosen.experts[(index_t)t * K + k] = expert;
                chosen.exponentials[(index_t)t * K + k] = exponential;
            }

            sum += overAll ? 0.0f : exponential;
            if (piece.has(expert))
                atomicAdd(&counts[expert - piece.firstExpert], 1);
        });
        sum = team.reduce(sum, Add());
        if (tells && columns != 0 && team.member == 0)
            chosen.sums[t] = sum;
    }

    write_counts(piece, counts, (piece.end - piece.start) * K, E, table);
}

// Blocks (pieces, runs of ExpertsAtOnce experts).
KERNEL route_choose(
    const float* logits, // (T, E)
    int overAll, int T, int E, int K, int lanes, int tokensPerPiece, int staged,
    int* experts,        // (T, K)
    float* exponentials, // (T, K)
    float* sums,         // (T)
    int* table)          // (E + 1, pieces)
{
    extern __shared__ int shared[];
    choose_piece(logits, overAll, {T, E, K, tokensPerPiece}, lanes, staged, shared, {experts, exponentials, sums}, table);
}

// The same for choices that are made already. Blocks as above, of 256 threads.
KERNEL route_count(
    const int* experts, // (T, K), Dropped for none
    int T, int E, int K, int tokensPerPiece,
    int* table)         // (E + 1, pieces)
{
    extern __shared__ int shared[];
    Piece piece({T, E, K, tokensPerPiece});
    clear_counts(piece, shared);
    int kept = 0;
    for (index_t choice = (index_t)piece.start * K + threadIdx.x; choice < (index_t)piece.end * K; choice += blockDim.x)
    {
        int expert = experts[choice];
        kept += expert != Dropped;
        if (piece.has(expert))
            atomicAdd(&shared[expert - piece.firstExpert], 1);
    }

    write_counts(piece, shared, sum_block<256>(kept), E, table);
}

// ---- 2. Sum -----------------------------------------------------------------------------------------------------------------------------

// One block of 1024 threads.
KERNEL __launch_bounds__(1024) route_sum(int n, int* table)
{
    sum_table<1024>(n, table);
}

// ---- 3. Place ---------------------------------------------------------------------------------------------------------------------------

// The plan, as in Assign and RouteForward; what is null is not wanted.
struct Plan
{
    int* offsets;      // (E + 1)
    int* tokens;       // (N)
    int* choices;      // (N)
    int* rowsByToken;  // (N)
    int* tokenOffsets; // (T + 1)
    float* weights;    // (N)
};

// One warp per piece: choices go 32 at a time, and among these an expert's rows follow the lanes. next:
// shared memory for a counter per expert.
DEVICE void place_piece(const Chosen& chosen, const int* table, const Sizes& sizes, int N, int* next, const Plan& plan)
{
    int E = sizes.E, K = sizes.K;
    Piece piece(sizes);
    int kept = table[cell(E) - blockIdx.x], inverse = table[cell(E)] - kept; // where the piece begins in rowsByToken
    for (int e = lane(); e < piece.experts; e += WarpSize)
    {
        int row = next[e] = table[cell(piece.firstExpert + e)];
        if (blockIdx.x == 0)
            plan.offsets[piece.firstExpert + e] = row;
    }

    if (blockIdx.x == 0 && blockIdx.y == 0 && lane() == 0)
    {
        plan.offsets[E] = kept;
        if (plan.tokenOffsets != nullptr)
            plan.tokenOffsets[sizes.T] = kept;
    }

    __syncwarp();

    uint32 lanesBefore = (1u << lane()) - 1, end = (uint32)piece.end * K;
    for (uint32 first = (uint32)piece.start * K; first < end; first += WarpSize)
    {
        uint32 choice = first + lane(), token = choice / K;
        int expert = choice < end ? chosen.experts[choice] : Dropped;
        uint32 served = __ballot_sync(AllLanes, expert != Dropped), same = __match_any_sync(AllLanes, expert);
        int place = inverse + __popc(served & lanesBefore); // in rowsByToken
        if (blockIdx.y == 0 && plan.tokenOffsets != nullptr && choice < end && choice == token * K)
            plan.tokenOffsets[token] = place;
        bool here = piece.has(expert);
        int row = here ? next[expert - piece.firstExpert] + __popc(same & lanesBefore) : 0;
        __syncwarp();
        if (here)
        {
            if (same >> lane() == 1) // the last lane of this expert
                next[expert - piece.firstExpert] = row + 1;
            if (plan.tokens != nullptr)
                plan.tokens[row] = token;
            if (plan.choices != nullptr)
                plan.choices[row] = choice;
            if (plan.rowsByToken != nullptr)
                plan.rowsByToken[place] = row;
            if (plan.weights != nullptr)
                plan.weights[row] = chosen.gate(choice, token);
        }

        __syncwarp();
        inverse += __popc(served);
    }

    // rows that are left over are unassigned
    if (blockIdx.y == 0)
        for (index_t row = (index_t)kept + blockIdx.x * WarpSize + lane(); row < N; row += gridDim.x * WarpSize)
        {
            if (plan.tokens != nullptr)
                plan.tokens[row] = Dropped;
            if (plan.choices != nullptr)
                plan.choices[row] = Dropped;
            if (plan.weights != nullptr)
                plan.weights[row] = 0.0f;
        }
}

// Blocks (pieces, runs of ExpertsAtOnce experts) of one warp.
KERNEL route_place(
    int* experts,        // (T, K)
    float* exponentials, // (T, K), with weights only
    float* sums,         // (T), with weights only; null: the exponentials are gates
    const int* table,    // (E + 1, pieces), summed
    int T, int E, int K, int N, int tokensPerPiece,
    int* offsets, int* tokens, int* choices, int* rowsByToken, int* tokenOffsets, float* weights)
{
    extern __shared__ int shared[];
    place_piece({experts, exponentials, sums}, table, {T, E, K, tokensPerPiece}, N, shared,
        {offsets, tokens, choices, rowsByToken, tokenOffsets, weights});
}

// All three for one piece, in a single block of 256 threads: few tokens, as when text is generated.
KERNEL route_small(const float* logits, int overAll, int T, int E, int K, int lanes, int staged, int n, int* experts, float* exponentials,
    float* sums, int* table, int* offsets, int* tokens, int* rowsByToken, int* tokenOffsets, float* weights)
{
    extern __shared__ int shared[];
    Sizes sizes = {T, E, K, T};
    Chosen chosen = {experts, exponentials, sums};
    choose_piece(logits, overAll, sizes, lanes, staged, shared, chosen, table);
    __syncthreads();
    sum_table<256>(n, table);
    __syncthreads();
    if (warp() == 0)
        place_piece(chosen, table, sizes, T * K, shared, {offsets, tokens, nullptr, rowsByToken, tokenOffsets, weights});
}

// ---- Backward ---------------------------------------------------------------------------------------------------------------------------

// With g the gates of a token, 0 where it did not choose, and dot = Σ g·dg:  dx = g·(dg − dot), or, over all with p the softmax, dx = g·dg
// − p·dot. One team per token. Dynamic shared memory: two rows of `window` floats per team,
// for the gates and their gradients of as many experts at a time.
KERNEL route_backward(
    const float* dweights, // (N)
    const float* logits,   // (T, E)
    const float* weights,  // (N)
    int overAll,
    const int* experts,    // (T, K)
    const int* rowsByToken, // (N): no choice was dropped, so choice t·K + k is the row rowsByToken[t·K + k]
    int T, int E, int K, int lanes, int window,
    Target dlogits)        // (T, E)
{
    extern __shared__ float rowsOfTeams[];
    Team team(lanes);
    float* gates = rowsOfTeams + team.index * window;
    float* dgates = gates + team.count * window;
    int t = blockIdx.x * team.count + team.index, choices = t < T ? K : 0;
    index_t firstChoice = (index_t)t * K, firstLogit = (index_t)t * E;
    for (int first = 0; first < E; first += window)
    {
        for (int e = team.member; e < window; e += lanes)
            gates[e] = dgates[e] = 0.0f;
        __syncwarp();
        float dot = 0.0f, largest = 0.0f, ofLargest = 0.0f; // the largest logit and its gate: the token's first choice
        for (int k = team.member; k < choices; k += lanes)
        {
            int row = rowsByToken[firstChoice + k], expert = experts[firstChoice + k];
            float gate = weights[row], dgate = dweights[row];
            dot += gate * dgate;
            if ((uint32)(expert - first) < (uint32)window)
            {
                gates[expert - first] = gate;
                dgates[expert - first] = dgate;
            }

            if (k == 0 && overAll)
            {
                largest = logits[firstLogit + expert];
                ofLargest = gate;
            }
        }

        dot = team.reduce(dot, Add());
        largest = team.broadcast(largest, 0);
        ofLargest = team.broadcast(ofLargest, 0);
        __syncwarp();
        for (int e = team.member; e < window && first + e < E && t < T; e += lanes)
        {
            index_t i = firstLogit + first + e;
            float dx = gates[e] == 0.0f ? 0.0f : gates[e] * (dgates[e] - (overAll ? 0.0f : dot)); // 0 even where dot is not finite
            dlogits.write(i, overAll ? dx - ofLargest * expf(logits[i] - largest) * dot : dx);
        }

        __syncwarp();
    }
}

// ---- Columns and elements by index ------------------------------------------------------------------------------------------------------

// One team per row; dynamic shared memory for a row per team, if staged.
KERNEL top_k(
    const float* x, // (rows, E), a row for each group of each token
    int rows, int groups, int E, int K, int lanes, int staged,
    int* columns)   // (rows, K), counted over the groups of a token
{
    extern __shared__ float rowsOfTeams[];
    Team team(lanes);
    int row = blockIdx.x * team.count + team.index, columnsHere = row < rows ? E : 0;
    const float* values = stage_row(x + (index_t)row * E, columnsHere, team, staged ? rowsOfTeams : nullptr);
    int first = row % groups * E;
    take_largest(values, columnsHere, K, next_rank(values, columnsHere, 0, team), team, [=](int k, Rank rank) {
        if (row < rows)
            columns[(index_t)row * K + k] = first + place_of(rank);
    });
}

KERNEL select_columns(
    const float* x,     // (T, E)
    const int* columns, // (T, K)
    int T, int E, int K,
    Target y)           // (T, K)
{
    for (index_t i = first_index(); i < (index_t)T * K; i += index_step())
    {
        int column = columns[i];
        y.write(i, column < 0 ? 0.0f : x[i / K * E + column]);
    }
}

// One team per token; a column may occur twice in it: the member that has the column adds them in their order.
// Dynamic shared memory: a row of `window` floats per team.
KERNEL scatter_columns(
    const float* x,     // (T, K)
    const int* columns, // (T, K)
    int T, int E, int K, int lanes, int window,
    Target y)           // (T, E)
{
    extern __shared__ float rowsOfTeams[];
    Team team(lanes);
    float* sums = rowsOfTeams + team.index * window;
    int t = blockIdx.x * team.count + team.index;
    for (int first = 0; first < E; first += window)
    {
        for (int e = team.member; e < window; e += lanes)
            sums[e] = 0.0f;
        for (int set = 0; set < K; set += lanes)
        {
            int mine = set + team.member;
            bool there = t < T && mine < K;
            int column = there ? columns[(index_t)t * K + mine] : Dropped;
            float value = there && column >= 0 ? x[(index_t)t * K + mine] : 0.0f;
            for (int from = 0; from < min(lanes, K - set); from++)
            {
                int e = team.broadcast(column, from) - first;
                float term = team.broadcast(value, from);
                if ((uint32)e < (uint32)window && (e & (lanes - 1)) == team.member)
                    sums[e] += term;
            }
        }

        for (int e = team.member; e < window && first + e < E && t < T; e += lanes)
            y.write((index_t)t * E + first + e, sums[e]);
    }
}

// Into y that is zero elsewhere; no index occurs twice.
KERNEL scatter(
    const float* x,     // (n)
    const int* indices, // (n)
    int n,
    Target y)           // (length)
{
    for (index_t i = first_index(); i < n; i += index_step())
        if (indices[i] >= 0)
            y.write(indices[i], x[i]);
}
