// Copies of blocks of columns: slices and concatenation. (Whole views are copied and filled by the driver.)
//
// Four neighbouring columns of a row are one piece of work, and threads take pieces one after the other: neighbouring threads have
// neighbouring pieces. Moves 8 bytes per element, 12 where y is added to.
#include "common.cuh"

// y[n, yStart + c] = x[n, xStart + c]. x (N, xWidth), y (N, yWidth), c < C.
KERNEL copy_columns(const float* x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y)
{
    int pieces = ceil_div(C, 4); // of a row
    index_t all = (index_t)N * pieces;
    for (index_t i = first_index(); i < all; i += index_step())
    {
        index_t n = (uint32)i / (uint32)pieces; // a view has fewer than 2^31 elements, so 32 bits divide, which is much faster
        int column = 4 * (int)(i - n * pieces);
        Target row = {y.data + n * yWidth + yStart, y.adds};
        row.write_four(column, C, load_four(x + n * xWidth + xStart, column, C));
    }
}
