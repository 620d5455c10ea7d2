// Kernels with one mistake each, so that every check of the emulated device is seen to find
// what it is there for. The PTX beside this file is made from it as that of native/kernels is,
// by native/cmake/build_ptx.cmake. All take blocks of 64 threads; y has 64 floats per block.

extern "C" __global__ void right(const float* x, float* y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        y[i] = 2.0f * x[i];
}

// One element too many.
extern "C" __global__ void off_by_one(const float* x, float* y, int n)
{
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n)
        y[i] = 2.0f * x[i];
}

// Four floats at an address that is a multiple of 4 bytes only.
extern "C" __global__ void misaligned_load(const float* x, float* y, int n)
{
    if (threadIdx.x == 0)
        *(float4*)y = *(const float4*)(x + 1);
}

// A value is replaced before a barrier says that its neighbour has read it.
extern "C" __global__ void removed_barrier(const float* x, float* y, int n)
{
    __shared__ float values[64];
    values[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    float mirrored = values[63 - threadIdx.x];
    values[threadIdx.x] = 2.0f * mirrored;
    __syncthreads();
    y[threadIdx.x] = values[threadIdx.x ^ 1];
}

// Half of the block never comes to the barrier.
extern "C" __global__ void divergent_barrier(const float* x, float* y, int n)
{
    __shared__ float values[64];
    values[threadIdx.x] = x[threadIdx.x];
    if (threadIdx.x < 32)
        __syncthreads();
    y[threadIdx.x] = values[threadIdx.x];
}

// Shared memory holds what the block before left there.
extern "C" __global__ void unwritten_shared(const float* x, float* y, int n)
{
    __shared__ float values[64];
    if (threadIdx.x < n)
        values[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    y[threadIdx.x] = values[threadIdx.x];
}

// Two blocks add to the same element.
extern "C" __global__ void blocks_meet(const float* x, float* y, int n)
{
    if (threadIdx.x == 0)
        y[0] += x[blockIdx.x];
}

// Lanes exchange values with some that have left.
extern "C" __global__ void absent_lanes(const float* x, float* y, int n)
{
    float value = x[threadIdx.x];
    if (threadIdx.x % 2 == 0)
        value += __shfl_xor_sync(0xFFFFFFFFu, value, 1);
    y[threadIdx.x] = value;
}
