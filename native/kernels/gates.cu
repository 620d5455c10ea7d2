// What routers make of logits and gates. Each input is read once and each output written once.
#include "fours.cuh"
#include "functions.cuh"
#include "rows.cuh"

// sigma = softplus(spread) + eps, noisy = clean + sigma·noise. clean, spread, noise, sigma, noisy (n)
KERNEL noisy_logits_forward(const float* clean, const float* spread, const float* noise, float eps, int n, float* sigma, float* noisy)
{
    each_four(n, [&](const auto& fours)
    {
        Four deviation = fours.load(spread);
#pragma unroll
        for (int j = 0; j < 4; j++)
            deviation[j] = softplus(deviation[j]) + eps;
        fours.store(sigma, deviation);
        fours.store(noisy, fours.load(clean) + deviation * fours.load(noise));
    }, clean, spread, noise, sigma, noisy);
}

// dclean = dnoisy,  dspread = (dsigma + dnoisy·noise)·sigmoid(spread).
// dnoisy, dsigma, either may be null, spread, noise, dclean, dspread (n)
KERNEL noisy_logits_backward(
    const float* dnoisy, const float* dsigma, const float* spread, const float* noise, int n, Target dclean, Target dspread)
{
    each_four(n, [&](const auto& fours)
    {
        Four byNoisy = dnoisy ? fours.load(dnoisy) : four(0.0f), bySigma = dsigma ? fours.load(dsigma) : four(0.0f);
        if (dclean.wanted())
            fours.write(dclean, byNoisy);
        if (!dspread.wanted())
            return;
        if (dnoisy)
            bySigma = bySigma + byNoisy * fours.load(noise);
        Four slope = fours.load(spread);
#pragma unroll
        for (int j = 0; j < 4; j++)
            slope[j] = sigmoid(slope[j]);
        fours.write(dspread, bySigma * slope);
    }, dnoisy, dsigma, spread, noise, dclean, dspread);
}

// y[n, c] = scale·x[n, c]/Σ_c x[n, c], and scale/C where that sum is below least. x, from 0 on, y (N, C). A team has a row.
KERNEL share_forward(const float* x, float scale, float least, int N, int C, float* y)
{
    __shared__ KeptRow row;
    Team team(C);
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float sum = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            Four value = load_four(x + at, team.column(k), C);
            row.keep(k, value);
            sum += sum_four(value);
        }

        float total = team.sum(sum);
        for (int k = 0; team.column(k) < length; k++)
        {
            Four value = row.get(k, x + at, team.column(k), C);
#pragma unroll
            for (int j = 0; j < 4; j++)
                value[j] = total < least ? scale / (float)C : scale * (value[j] / total);
            store_four(y + at, team.column(k), C, value);
        }
    });
}

// With S = Σ_c x:  dx = scale·(dy − Σ_c dy·x/S)/S, and 0 where S is below least. x counts times a power of two on the way to the mean:
// that changes no digit, and keeps the product with a small x from becoming 0. dy, x, dx (N, C)
KERNEL share_backward(const float* dy, const float* x, float scale, float least, int N, int C, Target dx)
{
    const float larger = 1073741824.0f; // 2³⁰
    __shared__ KeptRow gradients;
    Team team(C);
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float sum = 0, dot = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            Four value = load_four(x + at, team.column(k), C), gradient = load_four(dy + at, team.column(k), C);
            gradients.keep(k, gradient);
            sum += sum_four(value);
            dot += sum_four(value * four(larger) * gradient);
        }

        float total = team.sum(sum), mean = team.sum(dot) / (total * larger);
        float factor = total < least ? 0.0f : scale / total;
        if (total < least)
            mean = 0;
        for (int k = 0; team.column(k) < length; k++)
            dx.from(at).write_four(team.column(k), C, (gradients.get(k, dy + at, team.column(k), C) + four(-mean)) * factor);
    });
}
