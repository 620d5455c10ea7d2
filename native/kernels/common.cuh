// What every family of kernels shares: sizes, targets, reductions in a fixed order, random numbers.
//
// Rules. Sums run in one fixed order, so that a result is the same bits each time: no float atomics. Indices into tensors are 64-bit.
// Everything is inlined: the PTX has no calls. A warp has 32 lanes; every kernel says how many threads per block it wants.
#pragma once

using index_t = long long;           // elements of a tensor: more than 2^31 bytes
using uint32 = unsigned int;
using uint64 = unsigned long long;

constexpr int WarpSize = 32;
constexpr uint32 AllLanes = 0xFFFFFFFFu;
constexpr float Infinity = __builtin_huge_valf();

#define DEVICE __device__ __forceinline__
#define KERNEL extern "C" __global__ void

// ---- bfloat16 by integers: no header, no target above compute_70 ------------------------------------------------------------------------

using bfloat16 = unsigned short;

// To the nearest, ties to the even one; NaN is the NaN of .NET.
DEVICE bfloat16 to_bfloat16(float value)
{
    uint32 bits = __float_as_uint(value);
    return value != value ? (bfloat16)0xFFC0 : (bfloat16)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

DEVICE float from_bfloat16(bfloat16 value) { return __uint_as_float((uint32)value << 16); }

DEVICE float round_to_bfloat16(float value) { return from_bfloat16(to_bfloat16(value)); }

// ---- Elements four at a time ------------------------------------------------------------------------------------------------------------

// Four neighbouring elements, the unit of reading and writing: one 16-byte access where the address allows it and all four exist, else one
// by one. Views may begin at any element, so the address is looked at each time.
struct alignas(16) Four
{
    float v[4];

    DEVICE float& operator[](int i) { return v[i]; }
    DEVICE float operator[](int i) const { return v[i]; }
};

DEVICE Four operator+(const Four& a, const Four& b) { return {a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3]}; }
DEVICE Four operator*(const Four& a, const Four& b) { return {a[0] * b[0], a[1] * b[1], a[2] * b[2], a[3] * b[3]}; }
DEVICE Four operator*(const Four& a, float b) { return {a[0] * b, a[1] * b, a[2] * b, a[3] * b}; }
DEVICE float sum_four(const Four& a) { return (a[0] + a[1]) + (a[2] + a[3]); }
DEVICE Four four(float value) { return {value, value, value, value}; }
DEVICE bool is_aligned(const void* address, int bytes) { return (uint64)address % bytes == 0; }

// x[i] to x[i + 3] of x (n); `missing` stands for those before 0 and from n on.
DEVICE Four load_four(const float* x, index_t i, index_t n, float missing = 0.0f)
{
    if (i >= 0 && i + 4 <= n && is_aligned(x + i, 16))
    {
        float4 all = *(const float4*)(x + i);
        return {all.x, all.y, all.z, all.w};
    }

    Four value;
#pragma unroll
    for (int j = 0; j < 4; j++)
        value[j] = i + j >= 0 && i + j < n ? x[i + j] : missing;
    return value;
}

// Those of y[i] to y[i + 3] that are in y (n).
DEVICE void store_four(float* y, index_t i, index_t n, const Four& value)
{
    if (i >= 0 && i + 4 <= n && is_aligned(y + i, 16))
    {
        *(float4*)(y + i) = make_float4(value[0], value[1], value[2], value[3]);
        return;
    }

#pragma unroll
    for (int j = 0; j < 4; j++)
        if (i + j >= 0 && i + j < n)
            y[i + j] = value[j];
}

// The same of values in bfloat16, widened, in one 8-byte access.
DEVICE Four load_four(const bfloat16* x, index_t i, index_t n, float missing = 0.0f)
{
    if (i >= 0 && i + 4 <= n && is_aligned(x + i, 8))
    {
        ushort4 all = *(const ushort4*)(x + i);
        return {from_bfloat16(all.x), from_bfloat16(all.y), from_bfloat16(all.z), from_bfloat16(all.w)};
    }

    Four value;
#pragma unroll
    for (int j = 0; j < 4; j++)
        value[j] = i + j >= 0 && i + j < n ? from_bfloat16(x[i + j]) : missing;
    return value;
}

// The same, rounded to bfloat16, in one 8-byte access.
DEVICE void store_four(bfloat16* y, index_t i, index_t n, const Four& value)
{
    if (i >= 0 && i + 4 <= n && is_aligned(y + i, 8))
    {
        *(ushort4*)(y + i) = make_ushort4(to_bfloat16(value[0]), to_bfloat16(value[1]), to_bfloat16(value[2]), to_bfloat16(value[3]));
        return;
    }

#pragma unroll
    for (int j = 0; j < 4; j++)
        if (i + j >= 0 && i + j < n)
            y[i + j] = to_bfloat16(value[j]);
}

// One element of either type, as float, and back.
DEVICE float widen(float value) { return value; }
DEVICE float widen(bfloat16 value) { return from_bfloat16(value); }
template <class T> DEVICE T narrow(float value);
template <> DEVICE float narrow<float>(float value) { return value; }
template <> DEVICE bfloat16 narrow<bfloat16>(float value) { return to_bfloat16(value); }

// An output, as the host's Target: stored, added to, or wanted by nobody. 16 bytes, passed by value. In bfloat16 a sum is rounded once.
template <class T>
struct TargetOf
{
    T* data;
    int adds;

    DEVICE bool wanted() const { return data != nullptr; }
    DEVICE TargetOf from(index_t i) const { return {data + i, adds}; }
    DEVICE void write(index_t i, float value) const { data[i] = narrow<T>(adds ? widen(data[i]) + value : value); }

    DEVICE void write_four(index_t i, index_t n, const Four& value) const
    {
        store_four(data, i, n, adds ? load_four(data, i, n) + value : value);
    }
};

using Target = TargetOf<float>;

DEVICE int lane() { return threadIdx.x % WarpSize; }
DEVICE int warp() { return threadIdx.x / WarpSize; }
DEVICE int ceil_div(int a, int b) { return (a + b - 1) / b; }

// The first element of this thread and the step to its next, when the grid walks over elements one by one.
DEVICE index_t first_index() { return (index_t)blockIdx.x * blockDim.x + threadIdx.x; }
DEVICE index_t index_step() { return (index_t)gridDim.x * blockDim.x; }

// The same where a thread takes four at a time.
DEVICE index_t first_four() { return 4 * first_index(); }
DEVICE index_t four_step() { return 4 * index_step(); }

// ---- Reductions: every lane, or every thread of the block, gets the result -------------------------------------------------------------

struct Add { template <class T> DEVICE T operator()(T a, T b) const { return a + b; } };
struct Max { DEVICE float operator()(float a, float b) const { return fmaxf(a, b); } };

// Over each run of Lanes neighbouring lanes, a power of two; all lanes of the warp come here.
template <int Lanes, class T, class Op>
DEVICE T reduce_lanes(T value, Op op)
{
#pragma unroll
    for (int distance = Lanes / 2; distance > 0; distance /= 2)
        value = op(value, __shfl_xor_sync(AllLanes, value, distance));
    return value;
}

template <class T, class Op> DEVICE T reduce_warp(T value, Op op) { return reduce_lanes<WarpSize>(value, op); }

template <class T> DEVICE T sum_warp(T value) { return reduce_warp(value, Add()); }
DEVICE float max_warp(float value) { return reduce_warp(value, Max()); }

// All Threads threads of the block must come here; a barrier stands before and after, so calls may follow each other.
template <int Threads, class T, class Op>
DEVICE T reduce_block(T value, T neutral, Op op)
{
    static_assert(Threads % WarpSize == 0 && Threads <= WarpSize * WarpSize, "whole warps, 32 of them at most");
    __shared__ T partial[Threads / WarpSize];
    value = reduce_warp(value, op);
    __syncthreads();
    if (lane() == 0)
        partial[warp()] = value;
    __syncthreads();
    value = lane() < Threads / WarpSize ? partial[lane()] : neutral;
    return reduce_warp(value, op);
}

template <int Threads, class T> DEVICE T sum_block(T value) { return reduce_block<Threads>(value, T(0), Add()); }
template <int Threads> DEVICE float max_block(float value) { return reduce_block<Threads>(value, -Infinity, Max()); }

// Sums before, also in a fixed order: the sum of this lane's value and those of the lanes before it.
DEVICE int sum_up_to_lane(int value)
{
#pragma unroll
    for (int distance = 1; distance < WarpSize; distance *= 2)
    {
        int left = __shfl_up_sync(AllLanes, value, distance);
        value += lane() >= distance ? left : 0;
    }

    return value;
}

// The sum of the values of the threads before this one, and of all. All threads of the block come here.
template <int Threads>
DEVICE int sum_before(int value, int& total)
{
    static_assert(Threads % WarpSize == 0 && Threads <= WarpSize * WarpSize, "whole warps, 32 of them at most");
    __shared__ int sums[Threads / WarpSize];
    int inWarp = sum_up_to_lane(value);
    __syncthreads();
    if (lane() == WarpSize - 1)
        sums[warp()] = inWarp;
    __syncthreads();
    int ofWarps = sum_up_to_lane(lane() < Threads / WarpSize ? sums[lane()] : 0);
    total = __shfl_sync(AllLanes, ofWarps, WarpSize - 1);
    int before = __shfl_sync(AllLanes, ofWarps, warp() > 0 ? warp() - 1 : 0);
    return (warp() > 0 ? before : 0) + inWarp - value;
}

// ---- Random numbers: Philox 4x32-10 (Salmon et al. 2011), word for word those of RandomNumbers/Philox.cs --------------------------------

// One stream, as the host's RandomKey: number i of the stream is word i mod 4 of block i / 4. 32 bytes, passed by value.
struct Stream
{
    uint32 key0, key1, step, place;
    index_t first;      // number of the first element: the micro-batch's part
    const uint32* live; // where the step of now is, for a launch that is recorded and done again in other steps; null: step itself

    DEVICE uint32 now() const { return live != nullptr ? __ldg(live) : step; }

    DEVICE uint4 block(index_t i) const
    {
        uint32 c0 = (uint32)i, c1 = (uint32)((uint64)i >> 32), c2 = now(), c3 = place, k0 = key0, k1 = key1;
#pragma unroll
        for (int round = 0; round < 10; round++)
        {
            uint32 high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
            uint32 high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
            c0 = high1 ^ c1 ^ k0;
            c1 = low1;
            c2 = high0 ^ c3 ^ k1;
            c3 = low0;
            k0 += 0x9E3779B9u;
            k1 += 0xBB67AE85u;
        }

        return make_uint4(c0, c1, c2, c3);
    }

    // Word i of the stream, counted from its very beginning.
    DEVICE uint32 word(index_t i) const
    {
        uint4 words = block(i >> 2);
        uint32 low = i & 1 ? words.y : words.x, high = i & 1 ? words.w : words.z;
        return i & 2 ? high : low;
    }

    // Words i to i + 3: of one block, or of two neighbours.
    DEVICE uint4 words(index_t i) const
    {
        uint4 a = block(i >> 2);
        if ((i & 3) == 0)
            return a;
        uint4 b = block((i >> 2) + 1);
        return (i & 3) == 1 ? make_uint4(a.y, a.z, a.w, b.x)
            : (i & 3) == 2 ? make_uint4(a.z, a.w, b.x, b.y)
            : make_uint4(a.w, b.x, b.y, b.z);
    }

    DEVICE static float to_uniform(uint32 word) { return (float)(word >> 8) * (1.0f / (1 << 24)); }
    DEVICE float uniform(index_t i) const { return to_uniform(word(i)); }
};
