// What balance losses are made of. A mask (N) says 1 for a row that counts, 0 for another; null: all count.
//
// Each input is read once. Sums over rows are made block by block into scratch memory, small beside the rows,
// and added up by the kernels of reduce.cu.
#include "functions.cuh"
#include "rows.cuh"

DEVICE bool counts(const float* mask, index_t n) { return mask == nullptr || mask[n] != 0.0f; }

// ---- Probabilities times shares of the load ---------------------------------------------------------------------------------------------

// partial = scale·Σ mask[n]·Σ_e shares[g, e]·p[n, e] over the rows n of a block. Group g of T rows is blockIdx.y.
// p (groups, T, E), shares (groups, E), mask (groups, T), partial (groups, blocks)
KERNEL balance_loss_forward(const float* p, const float* shares, const float* mask, float scale, int T, int E, float* partial)
{
    index_t firstRow = (index_t)blockIdx.y * T;
    Walk walk(T, E);
    float sum = 0;
    for (index_t e = walk.column; e < E; e += walk.columns)
    {
        Four share = load_four(shares + (index_t)blockIdx.y * E, e, E);
        for (index_t t = walk.row; t < T; t += walk.rows)
            if (counts(mask, firstRow + t))
                sum += sum_four(load_four(p + (firstRow + t) * E, e, E) * share);
    }

    sum = sum_block<BlockThreads>(sum);
    if (threadIdx.x == 0)
        partial[(index_t)blockIdx.y * gridDim.x + blockIdx.x] = scale * sum;
}

// dp[n, e] = scale·dloss·mask[n]·shares[g, e]. dloss (1), shares (groups, E), mask (groups, T), dp (groups, T, E)
KERNEL balance_loss_backward(const float* dloss, const float* shares, const float* mask, float scale, int T, int E, Target dp)
{
    index_t firstRow = (index_t)blockIdx.y * T;
    Walk walk(T, E);
    for (index_t e = walk.column; e < E; e += walk.columns)
    {
        Four gradient = load_four(shares + (index_t)blockIdx.y * E, e, E) * (scale * dloss[0]);
        for (index_t t = walk.row; t < T; t += walk.rows)
        {
            bool counting = counts(mask, firstRow + t);
            if (counting || !dp.adds)
                dp.from((firstRow + t) * E).write_four(e, E, counting ? gradient : four(0.0f));
        }
    }
}

// ---- Squared coefficient of variation: one block, of one team and no more threads -------------------------------------------------------

// Mean and population variance of x (n), which the block's threads keep, and what the variance is divided by.
struct Variation
{
    float mean, variance, denominator;

    DEVICE Variation(const Team& team, KeptRow& row, const float* x, float eps, int n)
    {
        float sum = 0, squares = 0;
        for (int k = 0; team.column(k) < n; k++)
        {
            Four value = load_four(x, team.column(k), n);
            row.keep(k, value);
            sum += sum_four(value);
        }

        mean = team.sum(sum) / n;
        for (int k = 0; team.column(k) < n; k++)
        {
            Four value = row.get(k, x, team.column(k), n);
#pragma unroll
            for (int j = 0; j < 4; j++)
                squares += team.column(k) + j < n ? (value[j] - mean) * (value[j] - mean) : 0.0f;
        }

        variance = team.sum(squares) / n;
        denominator = mean * mean + eps;
    }
};

// y = var(x)/(mean(x)² + eps). x (n), y (1)
KERNEL squared_variation_forward(const float* x, float eps, int n, float* y)
{
    __shared__ KeptRow row;
    Team team(n);
    Variation v(team, row, x, eps, threadIdx.x < team.size ? n : 0);
    if (threadIdx.x == 0)
        y[0] = v.variance / v.denominator;
}

// With d = mean² + eps:  dx = 2·dy/(n·d)·(x − mean − mean·var/d). dy (1), x, dx (n)
KERNEL squared_variation_backward(const float* dy, const float* x, float eps, int n, Target dx)
{
    __shared__ KeptRow row;
    Team team(n);
    int length = threadIdx.x < team.size ? n : 0;
    Variation v(team, row, x, eps, length);
    float scale = 2.0f * dy[0] / (n * v.denominator), shift = v.mean + v.mean * v.variance / v.denominator;
    for (int k = 0; team.column(k) < length; k++)
        dx.write_four(team.column(k), n, (row.get(k, x, team.column(k), n) + four(-shift)) * scale);
}

// ---- Smooth load ------------------------------------------------------------------------------------------------------------------------

// One token: its K+1 best experts, largest first, and the threshold of one of the K best and of another.
struct Thresholds
{
    const int* best;
    int K, lastIn, firstOut;
    float in, out;

    DEVICE Thresholds(const float* noisy, const int* best, int K)
        : best(best), K(K), lastIn(best[K - 1]), firstOut(best[K]), in(noisy[firstOut]), out(noisy[lastIn]) {}

    DEVICE float of(index_t expert) const { return is_in(expert) ? in : out; }

    DEVICE bool is_in(index_t expert) const
    {
        bool found = expert == lastIn;
        for (int k = 0; k < K - 1; k++)
            found |= expert == best[k];
        return found;
    }
};

// load[p, e] = Σ mask[t]·Φ((clean[t, e] − threshold)/sigma[t, e]) over the rows of block p.
// clean, noisy, sigma (T, E), best (T, K+1), mask (T), load (blocks, E)
KERNEL smooth_load_forward(const float* clean, const float* noisy, const float* sigma, const int* best, const float* mask, int T, int E,
    int K, int rowsPerBlock, Target load)
{
    Tile tile(T, E, rowsPerBlock);
    Four sum = four(0.0f);
    for (index_t t = tile.start + tile.slot; t < tile.end; t += tile.slots)
    {
        if (!counts(mask, t))
            continue;
        Thresholds threshold(noisy + t * E, best + t * (K + 1), K);
        Four logit = load_four(clean + t * E, tile.column, E), deviation = load_four(sigma + t * E, tile.column, E, 1.0f);
#pragma unroll
        for (int j = 0; j < 4; j++)
            sum[j] += normal_cdf((logit[j] - threshold.of(tile.column + j)) / deviation[j]);
    }

    tile.write(sum, 1.0f, E, load);
}

// With z = (clean − threshold)/sigma and dz = dload·φ(z):  dclean = dz/sigma,  dsigma = −dz·z/sigma,  and to each threshold −Σ dclean over
// those that it is for. dload (E), clean, noisy, sigma, dclean, dnoisy, dsigma (T, E), best (T, K+1), mask (T). A team has a token.
KERNEL smooth_load_backward(
    const float* dload, const float* clean, const float* noisy, const float* sigma, const int* best, const float* mask, int T, int E, int K,
    Target dclean, Target dnoisy, Target dsigma)
{
    Team team(E);
    each_row(team, T, [&](index_t t, bool exists)
    {
        index_t row = exists ? t * E : 0, plan = exists ? t * (K + 1) : 0;
        bool counting = exists && counts(mask, t);
        Thresholds threshold(noisy + row, best + plan, K);
        float sumIn = 0, sumOut = 0;
        for (int k = 0; exists && team.column(k) < E; k++)
        {
            index_t e = team.column(k);
            Four byClean = four(0.0f), bySigma = four(0.0f);
            if (counting)
            {
                Four logit = load_four(clean + row, e, E), deviation = load_four(sigma + row, e, E, 1.0f),
                     gradient = load_four(dload, e, E);
#pragma unroll
                for (int j = 0; j < 4; j++)
                {
                    bool in = threshold.is_in(e + j);
                    float z = (logit[j] - (in ? threshold.in : threshold.out)) / deviation[j];
                    byClean[j] = gradient[j] * normal_density(z) / deviation[j];
                    bySigma[j] = -byClean[j] * z;
                    (in ? sumIn : sumOut) += byClean[j];
                }
            }

            if (dclean.wanted())
                dclean.from(row).write_four(e, E, byClean);
            if (dsigma.wanted())
                dsigma.from(row).write_four(e, E, bySigma);
        }

        sumIn = team.sum(sumIn);
        sumOut = team.sum(sumOut);
        for (int k = 0; dnoisy.wanted() && exists && team.column(k) < E; k++)
        {
            index_t e = team.column(k);
            Four gradient = four(0.0f);
#pragma unroll
            for (int j = 0; j < 4; j++)
                gradient[j] = e + j == threshold.firstOut ? -sumIn : e + j == threshold.lastIn ? -sumOut : 0.0f;
            dnoisy.from(row).write_four(e, E, gradient);
        }
    });
}
