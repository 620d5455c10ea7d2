// Sinks of attention: a logit per head that joins the softmax and whose share p = e^(sink − logSumExp) is dropped (gpt-oss). A softmax with
// one term more is the softmax without it times 1 − p, so attention is done before, and its backward goes by the new logSumExp and y.
// Bytes: y read and written once, and one number per query of each head.
#include "common.cuh"

// y (B, T, H, D) and logSumExp (B, H, T) in place, a warp per row. sinks (H)
KERNEL attention_sinks_forward(const float* sinks, int T, int H, int D, int rows, float* y, float* logSumExp)
{
    int n = blockIdx.x * (blockDim.x / WarpSize) + warp(), h = n % H, t = n / H % T, b = n / H / T;
    if (n >= rows)
        return;
    float* log = logSumExp + ((index_t)b * H + h) * T + t;
    float without = *log, ahead = sinks[h] - without, rest = 1 / (1 + expf(ahead));
    y += (index_t)n * D;
    for (int d = lane(); d < D; d += WarpSize)
        y[d] *= rest;
    __syncwarp(); // all have read it
    if (lane() == 0)
        *log = without + fmaxf(ahead, 0) + log1pf(expf(-fabsf(ahead)));
}

constexpr int SinkThreads = 256; // as in CudaBackend.AttentionSinks.cs

// dSinks[h] = −Σ over b and t of p·δ, a block per head. logSumExp, δ (B, H, T), with the sinks in both; sinks, dSinks (H)
KERNEL attention_sinks_backward(
    const float* sinks, const float* logSumExp, const float* delta, int B, int T, int H, Target dSinks)
{
    int h = blockIdx.x;
    float sink = sinks[h], sum = 0;
    for (int b = 0; b < B; b++)
    {
        index_t row = ((index_t)b * H + h) * T;
        for (int t = threadIdx.x; t < T; t += SinkThreads)
            sum -= expf(sink - logSumExp[row + t]) * delta[row + t];
    }

    sum = sum_block<SinkThreads>(sum);
    if (threadIdx.x == 0)
        dSinks.write(h, sum);
}
