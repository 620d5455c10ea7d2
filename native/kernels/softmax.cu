// Softmax, log Σ exp and cross-entropy. Every exponential is taken of a value minus the largest one, so none overflows. A team of threads
// has a row (rows.cuh) and reads it once; the losses' forwards keep log Σ exp only, and their backwards take the exponentials again.
#include "rows.cuh"

constexpr float Lowest = -3.402823466e38f; // below every number but −∞; itself finite, so that Lowest − Lowest is no NaN

DEVICE float largest_of(const Four& value) { return fmaxf(fmaxf(value[0], value[1]), fmaxf(value[2], value[3])); }

DEVICE Four exp_below(const Four& value, float largest)
{
    return {expf(value[0] - largest), expf(value[1] - largest), expf(value[2] - largest), expf(value[3] - largest)};
}

// y = exp(x − largest)/Σ. x, y (N, C)
KERNEL softmax_forward(const float* x, int N, int C, float* y)
{
    __shared__ KeptRow row;
    Team team(C);
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float largest = -Infinity, sum = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            Four value = load_four(x + at, team.column(k), C, -Infinity);
            row.keep(k, value);
            largest = fmaxf(largest, largest_of(value));
        }

        largest = team.max(largest);
        for (int k = 0; team.column(k) < length; k++)
        {
            Four value = k < KeptFours ? row.kept[k][threadIdx.x] : load_four(x + at, team.column(k), C, -Infinity);
            value = exp_below(value, largest);
            row.keep(k, value);
            sum += sum_four(value);
        }

        float scale = 1.0f / team.sum(sum);
        for (int k = 0; team.column(k) < length; k++)
        {
            index_t c = team.column(k);
            Four value = k < KeptFours ? row.kept[k][threadIdx.x] : exp_below(load_four(x + at, c, C), largest);
            store_four(y + at, c, C, value * scale);
        }
    });
}

// dx = y·(dy − Σ dy·y). dy, y, dx (N, C)
KERNEL softmax_backward(const float* dy, const float* y, int N, int C, Target dx)
{
    __shared__ KeptRow gradients, row;
    Team team(C);
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float dot = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            Four gradient = load_four(dy + at, team.column(k), C), value = load_four(y + at, team.column(k), C);
            gradients.keep(k, gradient);
            row.keep(k, value);
            dot += sum_four(gradient * value);
        }

        dot = team.sum(dot);
        for (int k = 0; team.column(k) < length; k++)
        {
            index_t c = team.column(k);
            dx.from(at).write_four(c, C, (gradients.get(k, dy + at, c, C) + four(-dot)) * row.get(k, y + at, c, C));
        }
    });
}

// log Σ exp(x) of the team's row x (C), of none where it is none. A thread keeps the largest value so far and the sum of the exponentials
// below it: a larger one rescales the sum. All threads of the block must come here.
DEVICE float log_sum_exp(const Team& team, const float* x, int C, bool exists)
{
    float largest = Lowest, sum = 0;
    for (int k = 0; exists && team.column(k) < C; k++)
    {
        Four value = load_four(x, team.column(k), C, -Infinity);
        float larger = fmaxf(largest, largest_of(value));
        sum = sum * expf(largest - larger) + sum_four(exp_below(value, larger));
        largest = larger;
    }

    float largestOfAll = team.max(largest), total = team.sum(sum * expf(largest - largestOfAll));
    return largestOfAll + logf(total);
}

// y[n] = log Σ exp(x[n, c]). x (N, C), y (N)
KERNEL log_sum_exp_forward(const float* x, int N, int C, float* y)
{
    Team team(C);
    each_row(team, N, [&](index_t n, bool exists)
    {
        float value = log_sum_exp(team, x + n * C, C, exists);
        if (exists && team.rank == 0)
            y[n] = value;
    });
}

// dx[n, c] = dy[n]·exp(x[n, c] − y[n]). dy, y (N), x, dx (N, C)
KERNEL log_sum_exp_backward(const float* dy, const float* x, const float* y, int N, int C, Target dx)
{
    Walk walk(N, C);
    for (index_t c = walk.column; c < C; c += walk.columns)
    {
        for (index_t n = walk.row; n < N; n += walk.rows)
        {
            Four value = load_four(x + n * C, c, C);
            float shift = y[n], scale = dy[n];
#pragma unroll
            for (int j = 0; j < 4; j++)
                value[j] = scale * expf(value[j] - shift);
            dx.from(n * C).write_four(c, C, value);
        }
    }
}

// ---- Cross-entropy: a row with a target below 0 does not count --------------------------------------------------------------------------

// Σ logSumExp − logits[target] over the rows from start to before end that count, and how many do, both of the whole block; NaN where a
// target is no column, as a kernel cannot throw.
struct RowLosses
{
    double sum;
    int count;

    DEVICE RowLosses(const float* logits, const int* targets, const float* logSumExp, index_t start, index_t end, int V) : sum(0), count(0)
    {
        for (index_t n = start + threadIdx.x; n < end; n += BlockThreads)
        {
            int target = targets[n];
            if (target < 0)
                continue;
            count++;
            sum += target < V ? (double)logSumExp[n] - logits[n * V + target] : (double)__int_as_float(0x7FC00000); // a quiet NaN
        }

        sum = sum_block<BlockThreads>(sum);
        count = sum_block<BlockThreads>(count);
    }
};

// loss = mean over the rows that count of logSumExp − logits[target], in double; 0 when none counts.
// logits (N, V), targets, logSumExp (N), loss (1); one block: for few rows
KERNEL cross_entropy_mean(const float* logits, const int* targets, const float* logSumExp, int N, int V, float* loss)
{
    RowLosses all(logits, targets, logSumExp, 0, N, V);
    if (threadIdx.x == 0)
        loss[0] = (float)(all.sum / max(1, all.count));
}

// The same over many rows: each block has a part of them. sums, counts (blocks)
KERNEL cross_entropy_parts(
    const float* logits, const int* targets, const float* logSumExp, int N, int V, int rowsPerBlock, double* sums, int* counts)
{
    index_t start = (index_t)blockIdx.x * rowsPerBlock;
    RowLosses part(logits, targets, logSumExp, start, min((index_t)N, start + rowsPerBlock), V);
    if (threadIdx.x == 0)
    {
        sums[blockIdx.x] = part.sum;
        counts[blockIdx.x] = part.count;
    }
}

// loss = Σ sums/Σ counts. sums, counts (parts), loss (1); one block
KERNEL cross_entropy_join(const double* sums, const int* counts, int parts, float* loss)
{
    double sum = 0;
    int count = 0;
    for (int i = threadIdx.x; i < parts; i += BlockThreads)
    {
        sum += sums[i];
        count += counts[i];
    }

    sum = sum_block<BlockThreads>(sum);
    count = sum_block<BlockThreads>(count);
    if (threadIdx.x == 0)
        loss[0] = (float)(sum / max(1, count));
}

// scale = dloss/how many rows count. dloss, scale (1), targets (N); one block of 1024 threads, each with four rows at a time
KERNEL __launch_bounds__(1024) cross_entropy_scale(const float* dloss, const int* targets, int N, float* scale)
{
    int count = 0;
#pragma unroll 4
    for (index_t n = threadIdx.x; n < N; n += 1024)
        count += targets[n] >= 0;
    count = sum_block<1024>(count);
    if (threadIdx.x == 0)
        scale[0] = dloss[0] / max(1, count);
}

// dlogits[n] = (exp(logits[n] − logSumExp[n]) − onehot(target))·scale; 0 for a row that does not count.
// scale (1), logits, dlogits (N, V), targets, logSumExp (N)
KERNEL cross_entropy_backward(
    const float* scale, const float* logits, const int* targets, const float* logSumExp, int N, int V, Target dlogits)
{
    float factor = scale[0];
    Walk walk(N, V);
    for (index_t c = walk.column; c < V; c += walk.columns)
    {
        for (index_t n = walk.row; n < N; n += walk.rows)
        {
            int target = targets[n];
            if (target < 0 && dlogits.adds)
                continue;
            Four gradient = four(0.0f);
            if (target >= 0)
            {
                Four value = load_four(logits + n * V, c, V);
                float shift = logSumExp[n];
#pragma unroll
                for (int j = 0; j < 4; j++)
                    gradient[j] = (expf(value[j] - shift) - (c + j == target ? 1.0f : 0.0f)) * factor;
            }

            dlogits.from(n * V).write_four(c, V, gradient);
        }
    }
}

// ---- z-loss: a row whose mask is 0 does not count; without a mask all do ----------------------------------------------------------------

// partial = scale·Σ mask[n]·logSumExp[n]² over the rows of a block. logits (N, E), mask, logSumExp (N), partial (blocks)
KERNEL z_loss_forward(const float* logits, const float* mask, float scale, int N, int E, float* logSumExp, float* partial)
{
    Team team(E);
    float sum = 0;
    each_row(team, N, [&](index_t n, bool exists)
    {
        float value = log_sum_exp(team, logits + n * E, E, exists);
        if (!exists || team.rank != 0)
            return;
        logSumExp[n] = value;
        if (mask == nullptr || mask[n] != 0.0f)
            sum += value * value;
    });
    sum = sum_block<BlockThreads>(sum);
    if (threadIdx.x == 0)
        partial[blockIdx.x] = scale * sum;
}

// dlogits[n, e] = 2·scale·dloss·mask[n]·logSumExp[n]·exp(logits[n, e] − logSumExp[n]).
// dloss (1), logits, dlogits (N, E), mask, logSumExp (N)
KERNEL z_loss_backward(
    const float* dloss, const float* logits, const float* mask, const float* logSumExp, float scale, int N, int E, Target dlogits)
{
    float factor = 2.0f * scale * dloss[0];
    Walk walk(N, E);
    for (index_t e = walk.column; e < E; e += walk.columns)
    {
        for (index_t n = walk.row; n < N; n += walk.rows)
        {
            bool counting = mask == nullptr || mask[n] != 0.0f;
            if (!counting && dlogits.adds)
                continue;
            Four gradient = four(0.0f);
            if (counting)
            {
                float shift = logSumExp[n];
                gradient = exp_below(load_four(logits + n * E, e, E), shift) * (factor * shift);
            }

            dlogits.from(n * E).write_four(e, E, gradient);
        }
    }
}
