// SwiGLU in one pass each way, four elements per thread. Each input is read once and each output written once;
// the backward takes the sigmoid again.
#include "fours.cuh"
#include "functions.cuh"

// y = silu(gate)·up. gate, up, y (n)
template <class T>
DEVICE void swiglu_forward_of(const T* gate, const T* up, int n, T* y)
{
    each_four(n, [&](const auto& fours)
    {
        Four g = fours.load(gate), u = fours.load(up);
#pragma unroll
        for (int j = 0; j < 4; j++)
            g[j] = silu(g[j]) * u[j];
        fours.store(y, g);
    }, gate, up, y);
}

KERNEL swiglu_forward(const float* gate, const float* up, int n, float* y) { swiglu_forward_of(gate, up, n, y); }
KERNEL swiglu_forward_bfloat16(const bfloat16* gate, const bfloat16* up, int n, bfloat16* y) { swiglu_forward_of(gate, up, n, y); }

// With σ = sigmoid(gate): dgate = dy·up·σ·(1 + gate·(1 − σ)), dup = dy·gate·σ; both rounded to bfloat16 where asked.
// dy, gate, up, dgate, dup (n); dup may be dy
template <class T>
DEVICE void swiglu_backward_of(const T* dy, const T* gate, const T* up, int n, TargetOf<T> dgate, TargetOf<T> dup, int rounds)
{
    each_four(n, [&](const auto& fours)
    {
        Four g = fours.load(gate), byGate = fours.load(dy), byUp, u = dgate.wanted() ? fours.load(up) : four(0.0f);
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            float s = sigmoid(g[j]), scaled = byGate[j] * s;
            byGate[j] = scaled * u[j] * (1.0f + g[j] * (1.0f - s));
            byUp[j] = scaled * g[j];
            if (rounds)
            {
                byGate[j] = round_to_bfloat16(byGate[j]);
                byUp[j] = round_to_bfloat16(byUp[j]);
            }
        }

        if (dgate.wanted())
            fours.write(dgate, byGate);
        if (dup.wanted())
            fours.write(dup, byUp);
    }, dy, gate, up, dgate, dup);
}

KERNEL swiglu_backward(const float* dy, const float* gate, const float* up, int n, Target dgate, Target dup, int rounds)
{
    swiglu_backward_of(dy, gate, up, n, dgate, dup, rounds);
}

KERNEL swiglu_backward_bfloat16(
    const bfloat16* dy, const bfloat16* gate, const bfloat16* up, int n, TargetOf<bfloat16> dgate, TargetOf<bfloat16> dup, int rounds)
{
    swiglu_backward_of(dy, gate, up, n, dgate, dup, rounds);
}

// min(x, limit) and x within ±limit; NaN stays NaN.
DEVICE float at_most(float x, float limit) { return x > limit ? limit : x; }
DEVICE float within(float x, float limit) { return x > limit ? limit : x < -limit ? -limit : x; }

// With g = min(gate, limit), u = up within ±limit: y = g·sigmoid(alpha·g)·(u + 1). gate, up, y (n)
template <class T>
DEVICE void clamped_swiglu_forward_of(const T* gate, const T* up, float limit, float alpha, int n, T* y)
{
    each_four(n, [&](const auto& fours)
    {
        Four g = fours.load(gate), u = fours.load(up);
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            float x = at_most(g[j], limit);
            g[j] = x * sigmoid(alpha * x) * (within(u[j], limit) + 1.0f);
        }

        fours.store(y, g);
    }, gate, up, y);
}

KERNEL clamped_swiglu_forward(const float* gate, const float* up, float limit, float alpha, int n, float* y)
{
    clamped_swiglu_forward_of(gate, up, limit, alpha, n, y);
}

KERNEL clamped_swiglu_forward_bfloat16(const bfloat16* gate, const bfloat16* up, float limit, float alpha, int n, bfloat16* y)
{
    clamped_swiglu_forward_of(gate, up, limit, alpha, n, y);
}

// With σ = sigmoid(alpha·g): dgate = dy·(u + 1)·σ·(1 + alpha·g·(1 − σ)) where gate <= limit, dup = dy·g·σ where |up| <= limit.
// dy, gate, up, dgate, dup (n)
template <class T>
DEVICE void clamped_swiglu_backward_of(
    const T* dy, const T* gate, const T* up, float limit, float alpha, int n, TargetOf<T> dgate, TargetOf<T> dup)
{
    each_four(n, [&](const auto& fours)
    {
        Four g = fours.load(gate), u = fours.load(up), byGate = fours.load(dy), byUp;
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            float x = at_most(g[j], limit), s = sigmoid(alpha * x), scaled = byGate[j] * s;
            byGate[j] = g[j] > limit ? 0.0f : scaled * (within(u[j], limit) + 1.0f) * (1.0f + alpha * x * (1.0f - s));
            byUp[j] = fabsf(u[j]) > limit ? 0.0f : scaled * x;
        }

        if (dgate.wanted())
            fours.write(dgate, byGate);
        if (dup.wanted())
            fours.write(dup, byUp);
    }, dy, gate, up, dgate, dup);
}

KERNEL clamped_swiglu_backward(
    const float* dy, const float* gate, const float* up, float limit, float alpha, int n, Target dgate, Target dup)
{
    clamped_swiglu_backward_of(dy, gate, up, limit, alpha, n, dgate, dup);
}

KERNEL clamped_swiglu_backward_bfloat16(
    const bfloat16* dy, const bfloat16* gate, const bfloat16* up, float limit, float alpha, int n, TargetOf<bfloat16> dgate,
    TargetOf<bfloat16> dup)
{
    clamped_swiglu_backward_of(dy, gate, up, limit, alpha, n, dgate, dup);
}
