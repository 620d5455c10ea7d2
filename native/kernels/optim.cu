// The optimiser and the gradient's norm: w, m and v are read and written once, g is read once,
// the clip and the bfloat16 copy come on the way.
#include "fours.cuh"
#include "rows.cuh"

// sums[block] = the block's part of Σ x², in double. x (n), sums (blocks)
KERNEL sum_of_squares(const float* x, int n, double* sums)
{
    double sum = 0;
    each_four(n, [&](const auto& fours)
    {
        Four value = fours.load(x);
#pragma unroll
        for (int j = 0; j < 4; j++)
            sum += (double)value[j] * value[j];
    }, x);

    sum = sum_block<BlockThreads>(sum);
    if (threadIdx.x == 0)
        sums[blockIdx.x] = sum;
}

// y[0] = √Σ sums. sums (count); one block
KERNEL root_of_sum(const double* sums, int count, float* y)
{
    double sum = 0;
    for (int i = threadIdx.x; i < count; i += BlockThreads)
        sum += sums[i];
    sum = sum_block<BlockThreads>(sum);
    if (threadIdx.x == 0)
        y[0] = (float)sqrt(sum);
}

// What differs from step to step. rate and root hold the corrections of the moments' start from zero, keep = 1 − learning rate·decay.
struct StepFactors { float rate, root, keep; };

// With g scaled by min(1, clip/norm), 0 for no clip:  m = β₁·m + (1 − β₁)·g,  v = β₂·v + (1 − β₂)·g²,  w = keep·w − rate·m/(√v·root + eps).
// The factors are those of now where live is not null: a recorded launch is done again in other steps. Nothing changes where the norm is
// not finite. g, w, m, v (n), norm (1) or none, live (1) or none, copy (n) or none
KERNEL adamw(
    const float* g, const float* norm, float clip, float beta1, float beta2, float eps, StepFactors factors, const StepFactors* live, int n,
    float* w, float* m, float* v, bfloat16* copy)
{
    __shared__ float length; // read once per block, as the factors are
    __shared__ StepFactors now;
    if (threadIdx.x == 0)
    {
        length = norm != nullptr ? norm[0] : 0.0f;
        now = live != nullptr ? *live : factors;
    }

    __syncthreads();
    if (!isfinite(length))
        return;

    float rate = now.rate, root = now.root, keep = now.keep;
    float scale = clip > 0.0f && length > clip ? clip / length : 1.0f;
    each_four(n, [&](const auto& fours)
    {
        Four weight = fours.load(w), first = fours.load(m), second = fours.load(v), gradient = fours.load(g) * scale;
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            first[j] = fmaf(beta1, first[j], (1.0f - beta1) * gradient[j]);
            second[j] = fmaf(beta2, second[j], (1.0f - beta2) * gradient[j] * gradient[j]);
            weight[j] = keep * weight[j] - rate * first[j] / fmaf(sqrtf(second[j]), root, eps);
        }

        fours.store(w, weight);
        fours.store(m, first);
        fours.store(v, second);
        if (copy != nullptr)
            fours.store(copy, weight);
    }, g, w, m, v, copy);
}
