// Functions of one value and their slopes: the elementwise family and the activations behind matrix products.
// Formulas as in Backends/Cpu/ElementFunctions.cs and SimdMath.cs; NaN in, NaN out.
#pragma once

#include "common.cuh"

// The order of the enum Unary in Backends/Backend.Elementwise.cs.
enum Unary { Exp, Log, Sqrt, Square, Sigmoid, Tanh, Relu, Gelu, Silu, Softplus, NormalCdf };

DEVICE float sigmoid(float x) { return 1.0f / (1.0f + expf(-x)); }
DEVICE float silu(float x) { return x * sigmoid(x); }
DEVICE float relu(float x) { return x < 0.0f ? 0.0f : x; }

// φ(x) and Φ(x) of the standard normal; Φ is good in the far tail too.
DEVICE float normal_density(float x) { return 0.398942280f * expf(-0.5f * x * x); } // 1/√(2π)
DEVICE float normal_cdf(float x) { return normcdff(x); }

// x·Φ(x), exact: not the approximation by tanh.
DEVICE float gelu(float x) { return x * normal_cdf(x); }

// ln(1 + eˣ) = max(x, 0) + ln(1 + e⁻ˡˣˡ): no exponential overflows.
DEVICE float softplus(float x) { return relu(x) + log1pf(expf(-fabsf(x))); }

// f(x), f a Unary. All threads have the same f, so the switch costs a jump.
DEVICE float unary(int f, float x)
{
    switch (f)
    {
        case Exp: return expf(x);
        case Log: return logf(x);
        case Sqrt: return sqrtf(x);
        case Square: return x * x;
        case Sigmoid: return sigmoid(x);
        case Tanh: return tanhf(x);
        case Relu: return relu(x);
        case Gelu: return gelu(x);
        case Silu: return silu(x);
        case Softplus: return softplus(x);
        default: return normal_cdf(x);
    }
}

// f'(x), with y = f(x) at hand.
DEVICE float unary_slope(int f, float x, float y)
{
    switch (f)
    {
        case Exp: return y;
        case Log: return 1.0f / x;
        case Sqrt: return 0.5f / y;
        case Square: return x + x;
        case Sigmoid: return y * (1.0f - y);
        case Tanh: return 1.0f - y * y;
        case Relu: return x > 0.0f ? 1.0f : 0.0f;
        case Gelu: return x * normal_density(x) + normal_cdf(x);
        case Silu: { float s = sigmoid(x); return s * (1.0f + x * (1.0f - s)); }
        case Softplus: return sigmoid(x);
        default: return normal_density(x);
    }
}

// Which of x and y the slope looks at: the other need not be read.
DEVICE bool slope_needs_x(int f) { return !(f == Exp || f == Sqrt || f == Sigmoid || f == Tanh); }
DEVICE bool slope_needs_y(int f) { return !slope_needs_x(f); }
