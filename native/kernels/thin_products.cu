// Products of a row or a few with weights kept in 16 bits, as in generation: they are read once, as they lie, and widened in registers.
// Bytes of weights are all that such a product takes, so none is spent on a copy of them in float32, and of experts only those are read
// that have a row.
//
// A block of 256 threads has 16 outputs of one row, two per warp; the row passes through shared memory in pieces. A lane takes four
// neighbouring weights at a time; its sums are joined at the end, in one order whatever the device.
#include "experts.cuh"
#include "float16.cuh"

constexpr int ThinThreads = 256;
constexpr int OutputsOfWarp = 2;
constexpr int OutputsOfBlock = OutputsOfWarp * ThinThreads / WarpSize; // as in CudaBackend.ThinProducts.cs
constexpr int Piece = 4096;                                            // of a row, in shared memory

struct Float16
{
    float16 bits;
};

DEVICE Four load_four(const Float16* x, index_t i, index_t n)
{
    if (i + 4 <= n && is_aligned(x + i, 8))
    {
        ushort4 all = *(const ushort4*)(x + i);
        return {from_float16(all.x), from_float16(all.y), from_float16(all.z), from_float16(all.w)};
    }

    Four value;
#pragma unroll
    for (int j = 0; j < 4; j++)
        value[j] = i + j < n ? from_float16(x[i + j].bits) : 0.0f;
    return value;
}

// y[o] = Σ x[i]·w[o, i] for the outputs of this block. x (inputs), w (outputs, inputs), y (outputs); all threads of the block come here.
template <class W> DEVICE void multiply_row(const float* x, const W* w, int inputs, int outputs, const Target& y)
{
    __shared__ Four row[Piece / 4];
    int first = (int)blockIdx.x * OutputsOfBlock + warp() * OutputsOfWarp;
    float sums[OutputsOfWarp] = {};
    for (int start = 0; start < inputs; start += Piece)
    {
        int length = min(Piece, inputs - start), fours = ceil_div(length, 4);
        __syncthreads();
        for (int f = threadIdx.x; f < fours; f += ThinThreads)
            row[f] = load_four(x + start, 4 * f, length, 0.0f);
        __syncthreads();
#pragma unroll 4
        for (int f = lane(); f < fours; f += WarpSize)
        {
            Four value = row[f];
#pragma unroll
            for (int o = 0; o < OutputsOfWarp; o++)
                if (first + o < outputs)
                    sums[o] += sum_four(value * load_four(w + (index_t)(first + o) * inputs + start, 4 * f, length));
        }
    }

#pragma unroll
    for (int o = 0; o < OutputsOfWarp; o++)
    {
        float sum = sum_warp(sums[o]);
        if (lane() == 0 && first + o < outputs)
            y.write(first + o, sum);
    }
}

// The row blockIdx.y of x (N, inputs), or of the token that tokens (N) names for it, by w (outputs, inputs), or by that of its expert in w
// (E, outputs, inputs) where there are offsets (E+1); y (N, outputs). An unassigned row becomes zero.
template <class W>
DEVICE void multiply_thin(
    const float* x, const int* tokens, const W* w, const int* offsets, int E, int inputs, int outputs, const Target& y)
{
    int n = blockIdx.y, expert = offsets == nullptr ? 0 : expert_of(offsets, E, n);
    Target own = y.from((index_t)n * outputs);
    if (offsets != nullptr && expert >= E)
    {
        int output = (int)blockIdx.x * OutputsOfBlock + (int)threadIdx.x;
        if (threadIdx.x < OutputsOfBlock && output < outputs && !y.adds)
            own.write(output, 0.0f);
        return;
    }

    index_t row = tokens == nullptr ? n : tokens[n];
    multiply_row(x + row * inputs, w + (index_t)expert * outputs * inputs, inputs, outputs, own);
}

KERNEL thin_product_bfloat16(
    const float* x, const int* tokens, const bfloat16* w, const int* offsets, int E, int inputs, int outputs, Target y)
{
    multiply_thin(x, tokens, w, offsets, E, inputs, outputs, y);
}

KERNEL thin_product_float16(
    const float* x, const int* tokens, const Float16* w, const int* offsets, int E, int inputs, int outputs, Target y)
{
    multiply_thin(x, tokens, w, offsets, E, inputs, outputs, y);
}
