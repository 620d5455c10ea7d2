// Copies of blocks of columns: slices and concatenation, also of rows that several rows share. (Whole views of float32 are copied and
// filled by the driver.)
//
// Four neighbouring columns of a row are one piece of work, and threads take pieces one after the other: neighbouring threads have
// neighbouring pieces. Moves 8 bytes per element, 12 where y is added to.
#include "common.cuh"

// y[n, yStart + c] = x[n, xStart + c]. x (N, xWidth), y (N, yWidth), c < C.
template <class T>
DEVICE void copy_columns_of(const T* x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, TargetOf<T> y)
{
    int pieces = ceil_div(C, 4); // of a row
    index_t all = (index_t)N * pieces;
    for (index_t i = first_index(); i < all; i += index_step())
    {
        index_t n = (uint32)i / (uint32)pieces; // a view has fewer than 2^31 elements, so 32 bits divide, which is much faster
        int column = 4 * (int)(i - n * pieces);
        TargetOf<T> row = {y.data + n * yWidth + yStart, y.adds};
        row.write_four(column, C, load_four(x + n * xWidth + xStart, column, C));
    }
}

KERNEL copy_columns(const float* x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
{
    copy_columns_of(x, xWidth, xStart, N, C, yWidth, yStart, y);
}

KERNEL copy_columns_bfloat16(const bfloat16* x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, TargetOf<bfloat16> y)
{
    copy_columns_of(x, xWidth, xStart, N, C, yWidth, yStart, y);
}

// A thread owns four columns of a row that `times` rows share, and walks over those: it reads or writes the shared one once.

// y[n·times + i, yStart + c] = x[n, c], i < times. x (N, C), y (N·times, yWidth).
template <class T>
DEVICE void repeat_rows_of(const T* x, int N, int C, int times, int yWidth, int yStart, TargetOf<T> y)
{
    int pieces = ceil_div(C, 4); // of a row
    index_t all = (index_t)N * pieces;
    for (index_t p = first_index(); p < all; p += index_step())
    {
        index_t n = (uint32)p / (uint32)pieces;
        int column = 4 * (int)(p - n * pieces);
        Four value = load_four(x + n * C, column, C);
        TargetOf<T> row = {y.data + n * times * yWidth + yStart, y.adds};
        for (int i = 0; i < times; i++, row.data += yWidth)
            row.write_four(column, C, value);
    }
}

KERNEL repeat_rows(const float* x, int N, int C, int times, int yWidth, int yStart, Target y)
{
    repeat_rows_of(x, N, C, times, yWidth, yStart, y);
}

KERNEL repeat_rows_bfloat16(const bfloat16* x, int N, int C, int times, int yWidth, int yStart, TargetOf<bfloat16> y)
{
    repeat_rows_of(x, N, C, times, yWidth, yStart, y);
}

// y[n, c] = Σ_i x[n·times + i, xStart + c], i < times, in order. x (N·times, xWidth), y (N, C).
template <class T>
DEVICE void sum_repeated_rows_of(const T* x, int xWidth, int xStart, int N, int C, int times, TargetOf<T> y)
{
    int pieces = ceil_div(C, 4); // of a row
    index_t all = (index_t)N * pieces;
    for (index_t p = first_index(); p < all; p += index_step())
    {
        index_t n = (uint32)p / (uint32)pieces;
        int column = 4 * (int)(p - n * pieces);
        const T* row = x + n * times * xWidth + xStart;
        Four sum = four(0);
        for (int i = 0; i < times; i++, row += xWidth)
            sum = sum + load_four(row, column, C);
        y.from(n * C).write_four(column, C, sum);
    }
}

KERNEL sum_repeated_rows(const float* x, int xWidth, int xStart, int N, int C, int times, Target y)
{
    sum_repeated_rows_of(x, xWidth, xStart, N, C, times, y);
}

KERNEL sum_repeated_rows_bfloat16(const bfloat16* x, int xWidth, int xStart, int N, int C, int times, TargetOf<bfloat16> y)
{
    sum_repeated_rows_of(x, xWidth, xStart, N, C, times, y);
}

// y = value. y (n)
KERNEL fill_bfloat16(bfloat16* y, int n, float value)
{
    for (index_t i = first_four(); i < n; i += four_step())
        store_four(y, i, n, four(value));
}
