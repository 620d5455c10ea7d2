// What follows a matrix product (the product is cuBLAS's): bias, activation, gate, rounding, all in one pass.
//
// A block has 64 rows and 128 columns, a warp 8 of the rows, a lane 4 of the columns: the bias stays in registers while the warp walks down
// its rows. Moves each element once: reads c (and the gate), writes c when a bias changed it, and the activated value.
#include "experts.cuh"
#include "functions.cuh"

// c += bias, then activated = f(c), or silu(gate)·c where there is a gate; the last of them is rounded to bfloat16 where asked.
// c, gate, activated (rows, columns), activated may be c. bias (columns); with offsets (E+1) the bias (E, columns) of the row's expert, and
// the rows that are unassigned become zero. What is null is not there.
template <class T>
DEVICE void epilogue_of(T* c, const float* bias, const int* offsets, int E, int rows, int columns, int activation, const T* gate,
    T* activated, int rounds)
{
    int column = strip_column(), first = strip_row(), end = min(first + RowsOfWarp, rows);
    if (column >= columns || first >= end)
        return;
    int expert = offsets ? expert_of(offsets, E, first) : 0, last = offsets ? end_of(offsets, E, expert) : rows;
    Four added = four(0.0f);
    bool loaded = false;
    for (int n = first; n < end; n++)
    {
        for (; n >= last; loaded = false)
            last = end_of(offsets, E, ++expert);
        bool unassigned = offsets && expert == E;
        if (bias && !unassigned && !loaded)
        {
            added = load_four(bias + (index_t)expert * columns, column, columns);
            loaded = true;
        }

        index_t row = (index_t)n * columns;
        Four value = unassigned ? four(0.0f) : load_four(c + row, column, columns), gates = four(0.0f);
        if (gate && !unassigned)
            gates = load_four(gate + row, column, columns);
        Four result;
#pragma unroll
        for (int j = 0; j < 4; j++)
        {
            if (bias && !unassigned)
                value[j] += added[j];
            result[j] = !activated || unassigned ? value[j] : gate ? silu(gates[j]) * value[j] : unary(activation, value[j]);
            if (rounds)
                result[j] = round_to_bfloat16(result[j]);
        }

        if (activated && activated != c && (bias || unassigned))
            store_four(c + row, column, columns, value);
        store_four((activated ? activated : c) + row, column, columns, result);
    }
}

KERNEL epilogue(
    float* c, const float* bias, const int* offsets, int E, int rows, int columns, int activation, const float* gate, float* activated,
    int rounds)
{
    epilogue_of(c, bias, offsets, E, rows, columns, activation, gate, activated, rounds);
}

KERNEL epilogue_bfloat16(
    bfloat16* c, const float* bias, const int* offsets, int E, int rows, int columns, int activation, const bfloat16* gate,
    bfloat16* activated, int rounds)
{
    epilogue_of(c, bias, offsets, E, rows, columns, activation, gate, activated, rounds);
}
