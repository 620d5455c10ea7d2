// SwiGLU in one pass each way, four elements per thread. Each input is read once and each output written once;
// the backward takes the sigmoid again.
#include "functions.cuh"

// y = silu(gate)·up. gate, up, y (n)
KERNEL swiglu_forward(const float* gate, const float* up, int n, float* y)
{
    for (index_t i = first_four(); i < n; i += four_step())
    {
        Four g = load_four(gate, i, n), u = load_four(up, i, n);
#pragma unroll
        for (int j = 0; j < 4; j++)
            g[j] = silu(g[j]) * u[j];
        store_four(y, i, n, g);
    }
}

// With σ = sigmoid(gate): dgate = dy·up·σ·(1 + gate·(1 − σ)), dup = dy·gate·σ; both rounded to bfloat16 where asked.
// dy, gate, up, dgate, dup (n); dup may be dy
KERNEL swiglu_backward(const float* dy, const float* gate, const float* up, int n, Target dgate, Target dup, int rounds)
{
    for (index_t i = first_four(); i < n; i += four_step())
    {
        Four g = load_four(gate, i, n), byGate = load_four(dy, i, n), byUp, u = dgate.wanted() ? load_four(up, i, n) : four(0.0f);
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
            dgate.write_four(i, n, byGate);
        if (dup.wanted())
            dup.write_four(i, n, byUp);
    }
}
