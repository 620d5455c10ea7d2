// Tensor cores of compute capability 8.0 and later: products of small tiles by a warp, mma.sync, with float32 sums; and copies from global
// to shared memory that go on beside the arithmetic. For NAME.sm_80.cu only.
//
// A product adds to a tile of 16 rows by 8 columns: Step elements of the inner size at a time, 8 in TF32 (float memory, operands rounded to
// 10 bits of mantissa), 16 in bfloat16. Which element a lane holds is the instruction's own ("Matrix fragments" in the PTX manual); with
// g = lane / 4 and u = lane % 4:
//   sums     rows g and g + 8, columns 2u and 2u + 1
//   TF32     left rows g and g + 8, inner u and u + 4;                       right column g, inner u and u + 4
//   bfloat16 left rows g and g + 8, inner 2u, 2u + 1 and 2u + 8, 2u + 9;     right column g, inner the same
//
// The sums of one product are the left operand of the next without a word between lanes. In bfloat16 they already lie as they must; in
// TF32 the inner elements change places, which no sum minds as long as both operands agree: inner u is row 2u of the right matrix, inner
// u + 4 its row 2u + 1. The functions named "by_inner" read in that order, those named "in_order" in the plain one.
//
// Bank conflicts: rows of a tile lie `padded(columns)` elements apart, an odd number of 16-byte units. Then 8 rows of 16 bytes (ldmatrix)
// fall on all banks, and so do the single words of "by_inner". (Those of "in_order" want 8 words more than a multiple of 32.)
#pragma once
#include "common.cuh"

struct Left { uint32 of[4]; };
struct Right { uint32 of[2]; };
struct Sum { float of[4]; };            // (g, 2u), (g, 2u + 1), (g + 8, 2u), (g + 8, 2u + 1)

DEVICE int group_row() { return lane() / 4; }       // g
DEVICE int group_column() { return lane() % 4 * 2; } // 2u

// ---- Conversions -----------------------------------------------------------------------------------------------------------------------

// To the nearest of 10 bits of mantissa, ties away from zero; the low 13 bits are zero.
DEVICE uint32 to_tf32(float value)
{
    uint32 rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(value));
    return rounded;
}

DEVICE uint32 to_tf32(uint32 bits) { return to_tf32(__uint_as_float(bits)); }

// Two neighbours in bfloat16, the first in the low half: to the nearest, ties to the even one.
DEVICE uint32 to_bfloat16_pair(float first, float second)
{
    uint32 pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
}

DEVICE float first_of_pair(uint32 pair) { return __uint_as_float(pair << 16); }
DEVICE float second_of_pair(uint32 pair) { return __uint_as_float(pair & 0xFFFF0000u); }

// ---- Copies to shared memory -----------------------------------------------------------------------------------------------------------
// A thread's copies since the last `commit_copies` are a group. After `wait_for_copies<N>` all but its last N groups have arrived, for the
// thread itself; for the others after a barrier. Where `exists` is false zeros are written, and `from`, which has to be an address in the
// tensor, is not read.

DEVICE uint32 shared_address(const void* at) { return (uint32)__cvta_generic_to_shared(at); }

// 16 bytes, both addresses multiples of 16; around the first cache, since a block reads them once.
DEVICE void copy_16(void* to, const void* from, bool exists)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(exists ? 16 : 0) : "memory");
}

DEVICE void copy_4(void* to, const void* from, bool exists)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared_address(to)), "l"(from), "r"(exists ? 4 : 0) : "memory");
}

DEVICE void commit_copies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int N> DEVICE void wait_for_copies() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }

// ---- Reading fragments -----------------------------------------------------------------------------------------------------------------

// Four matrices of 8 rows of 16 bytes: lanes 8i to 8i + 7 give the addresses of the rows of matrix i, and lane l gets of each matrix the
// 4 bytes at 4·(l % 4) of row l / 4.
DEVICE void load_matrices(uint32 (&to)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(shared_address(row)) : "memory");
}

// The same of 2-byte elements, each matrix transposed: lane l gets column l / 4, rows 2·(l % 4) and the next.
DEVICE void load_matrices_transposed(uint32 (&to)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3]) : "r"(shared_address(row)) : "memory");
}

// What the two element types have in common: matrices whose rows are along the inner size.
template <class E>
struct FragmentRows
{
    static constexpr int Unit = 16 / (int)sizeof(E);    // elements of 16 bytes
    static constexpr int Step = 2 * Unit;               // inner elements of a product

    // Elements from a row of a tile to the next, where `columns` is a multiple of Step.
    DEVICE static constexpr int padded(int columns) { return columns + Unit; }

    DEVICE static void read_left(uint32 (&to)[4], const E* tile, int stride)
    {
        load_matrices(to, tile + lane() % 16 * stride + lane() / 16 * Unit);
    }

    DEVICE static void read_right(uint32 (&to)[4], const E* tile, int stride)
    {
        load_matrices(to, tile + (lane() % 8 + lane() / 16 * 8) * stride + lane() / 8 % 2 * Unit);
    }
};

template <class E> struct Fragments;

// TF32: values are rounded as they come from shared memory.
template <>
struct Fragments<float> : FragmentRows<float>
{
    // 16 rows of Step elements: a left operand.
    DEVICE static Left left(const float* tile, int stride)
    {
        Left a;
        read_left(a.of, tile, stride);
#pragma unroll
        for (int i = 0; i < 4; i++)
            a.of[i] = to_tf32(a.of[i]);
        return a;
    }

    // 16 rows of Step elements, which are the columns of two right operands.
    DEVICE static void right(const float* tile, int stride, Right& first, Right& second)
    {
        uint32 words[4];
        read_right(words, tile, stride);
        first = {{to_tf32(words[0]), to_tf32(words[1])}};
        second = {{to_tf32(words[2]), to_tf32(words[3])}};
    }

    // Step rows of 8 columns: a right operand whose inner size is along the rows of the tile.
    DEVICE static Right right_by_inner(const float* tile, int stride)
    {
        const float* at = tile + group_column() * stride + group_row();
        return {{to_tf32(at[0]), to_tf32(at[stride])}};
    }

    DEVICE static Right right_in_order(const float* tile, int stride)
    {
        const float* at = tile + lane() % 4 * stride + group_row();
        return {{to_tf32(at[0]), to_tf32(at[4 * stride])}};
    }

    // Step rows of 16 columns: a left operand whose inner size is along the rows of the tile.
    DEVICE static Left left_by_inner(const float* tile, int stride)
    {
        const float* at = tile + group_column() * stride + group_row();
        return {{to_tf32(at[0]), to_tf32(at[8]), to_tf32(at[stride]), to_tf32(at[stride + 8])}};
    }

    // The sums of 8 columns as a left operand, for a right one "by_inner".
    DEVICE static Left left_of(const Sum& sum)
    {
        return {{to_tf32(sum.of[0]), to_tf32(sum.of[2]), to_tf32(sum.of[1]), to_tf32(sum.of[3])}};
    }

    DEVICE static void multiply_add(Sum& sum, const Left& a, const Right& b)
    {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(sum.of[0]), "+f"(sum.of[1]), "+f"(sum.of[2]), "+f"(sum.of[3])
                     : "r"(a.of[0]), "r"(a.of[1]), "r"(a.of[2]), "r"(a.of[3]), "r"(b.of[0]), "r"(b.of[1]));
    }
};

template <>
struct Fragments<bfloat16> : FragmentRows<bfloat16>
{
    DEVICE static Left left(const bfloat16* tile, int stride)
    {
        Left a;
        read_left(a.of, tile, stride);
        return a;
    }

    DEVICE static void right(const bfloat16* tile, int stride, Right& first, Right& second)
    {
        uint32 words[4];
        read_right(words, tile, stride);
        first = {{words[0], words[1]}};
        second = {{words[2], words[3]}};
    }

    // Step rows of 16 columns: two right operands whose inner size is along the rows of the tile.
    DEVICE static void right_by_inner(const bfloat16* tile, int stride, Right& first, Right& second)
    {
        uint32 words[4];
        load_matrices_transposed(words, tile + lane() % 16 * stride + lane() / 16 * Unit);
        first = {{words[0], words[1]}};
        second = {{words[2], words[3]}};
    }

    // Step rows of 16 columns: a left operand whose inner size is along the rows of the tile.
    DEVICE static Left left_by_inner(const bfloat16* tile, int stride)
    {
        Left a;
        load_matrices_transposed(a.of, tile + (lane() % 8 + lane() / 16 * 8) * stride + lane() / 8 % 2 * Unit);
        return a;
    }

    // The sums of 16 columns as a left operand.
    DEVICE static Left left_of(const Sum& first, const Sum& second)
    {
        return {{to_bfloat16_pair(first.of[0], first.of[1]), to_bfloat16_pair(first.of[2], first.of[3]),
            to_bfloat16_pair(second.of[0], second.of[1]), to_bfloat16_pair(second.of[2], second.of[3])}};
    }

    DEVICE static void multiply_add(Sum& sum, const Left& a, const Right& b)
    {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                     : "+f"(sum.of[0]), "+f"(sum.of[1]), "+f"(sum.of[2]), "+f"(sum.of[3])
                     : "r"(a.of[0]), "r"(a.of[1]), "r"(a.of[2]), "r"(a.of[3]), "r"(b.of[0]), "r"(b.of[1]));
    }
};
