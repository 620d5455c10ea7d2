// The middle of a counting sort over many blocks (routing.cu, embedding.cu): a table of counts becomes one of places.
#pragma once

#include "common.cuh"

// Each element becomes the sum of those before it. n is a multiple of 4: what stands behind the table is not used.
template <int Threads>
DEVICE void sum_table(int n, int* table)
{
    int before = 0; // the sum of all that went by
    for (int first = 0; first < n; first += 4 * Threads)
    {
        int i = first + 4 * threadIdx.x;
        int4 counts = i < n ? *(int4*)(table + i) : make_int4(0, 0, 0, 0);
        int total, sum = before + sum_before<Threads>(counts.x + counts.y + counts.z + counts.w, total);
        if (i < n)
            *(int4*)(table + i) = make_int4(sum, sum + counts.x, sum + counts.x + counts.y, sum + counts.x + counts.y + counts.z);
        before += total;
    }
}
