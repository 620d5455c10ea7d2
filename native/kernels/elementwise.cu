// Functions of one and of two values, element by element. Each input is read once and each output written once, 16 bytes at a time.
//
// Flat kernels walk over n elements, four per thread. With a broadcast operand the elements are a matrix (N, C): a row that meets every row
// stays in registers (rows.cuh); its gradient is a sum over rows, made block by block and added up by sum_rows (reduce.cu).
#include "fours.cuh"
#include "functions.cuh"
#include "rows.cuh"

// ---- One value --------------------------------------------------------------------------------------------------------------------------

// y = f(x). x, y (n)
template <class T>
DEVICE void unary_forward_of(int f, const T* x, int n, T* y)
{
    each_four(n, [&](const auto& fours)
    {
        Four value = fours.load(x);
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = unary(f, value[j]);
        fours.store(y, value);
    }, x, y);
}

KERNEL unary_forward(int f, const float* x, int n, float* y) { unary_forward_of(f, x, n, y); }
KERNEL unary_forward_bfloat16(int f, const bfloat16* x, int n, bfloat16* y) { unary_forward_of(f, x, n, y); }

// dx = dy·f'(x). x, y, dy, dx (n); dx may be dy
template <class T>
DEVICE void unary_backward_of(int f, const T* x, const T* y, const T* dy, int n, TargetOf<T> dx)
{
    bool needsX = slope_needs_x(f);
    each_four(n, [&](const auto& fours)
    {
        Four value = fours.load(needsX ? x : y), gradient = fours.load(dy);
#pragma unroll
        for (int j = 0; j < 4; j++)
            gradient[j] *= unary_slope(f, value[j], value[j]);
        fours.write(dx, gradient);
    }, x, y, dy, dx);
}

KERNEL unary_backward(int f, const float* x, const float* y, const float* dy, int n, Target dx) { unary_backward_of(f, x, y, dy, n, dx); }

KERNEL unary_backward_bfloat16(int f, const bfloat16* x, const bfloat16* y, const bfloat16* dy, int n, TargetOf<bfloat16> dx)
{
    unary_backward_of(f, x, y, dy, n, dx);
}

// y = scale·x + shift. x, y (n); y may be x
template <class T>
DEVICE void affine_of(const T* x, float scale, float shift, int n, TargetOf<T> y)
{
    each_four(n, [&](const auto& fours)
    {
        Four value = fours.load(x);
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = fmaf(value[j], scale, shift);
        fours.write(y, value);
    }, x, y);
}

KERNEL affine(const float* x, float scale, float shift, int n, Target y) { affine_of(x, scale, shift, n, y); }
KERNEL affine_bfloat16(const bfloat16* x, float scale, float shift, int n, TargetOf<bfloat16> y) { affine_of(x, scale, shift, n, y); }

// y = x, not below low and not above high; NaN stays. x, y (n); y may be x
template <class T>
DEVICE void clamp_forward_of(const T* x, float low, float high, int n, T* y)
{
    each_four(n, [&](const auto& fours)
    {
        Four value = fours.load(x);
#pragma unroll
        for (int j = 0; j < 4; j++)
            value[j] = value[j] < low ? low : value[j] > high ? high : value[j];
        fours.store(y, value);
    }, x, y);
}

KERNEL clamp_forward(const float* x, float low, float high, int n, float* y) { clamp_forward_of(x, low, high, n, y); }
KERNEL clamp_forward_bfloat16(const bfloat16* x, float low, float high, int n, bfloat16* y) { clamp_forward_of(x, low, high, n, y); }

// dx = dy where x is from low to high, else 0. x, dy, dx (n)
template <class T>
DEVICE void clamp_backward_of(const T* x, const T* dy, float low, float high, int n, TargetOf<T> dx)
{
    each_four(n, [&](const auto& fours)
    {
        Four value = fours.load(x), gradient = fours.load(dy);
#pragma unroll
        for (int j = 0; j < 4; j++)
            gradient[j] = value[j] < low || value[j] > high ? 0 : gradient[j];
        fours.write(dx, gradient);
    }, x, dy, dx);
}

KERNEL clamp_backward(const float* x, const float* dy, float low, float high, int n, Target dx)
{
    clamp_backward_of(x, dy, low, high, n, dx);
}

KERNEL clamp_backward_bfloat16(const bfloat16* x, const bfloat16* dy, float low, float high, int n, TargetOf<bfloat16> dx)
{
    clamp_backward_of(x, dy, low, high, n, dx);
}

// ---- Two values -------------------------------------------------------------------------------------------------------------------------

// The order of the enums in Backends/Backend.Elementwise.cs.
enum Binary { Plus, Minus, Times, Over };
enum Broadcast { None, Row, Column };

DEVICE float binary(int f, float a, float b)
{
    switch (f)
    {
        case Plus: return a + b;
        case Minus: return a - b;
        case Times: return a * b;
        default: return a / b;
    }
}

// +: da = dy, db = dy;   −: da = dy, db = −dy;   ·: da = dy·b, db = dy·a;   /: da = dy/b, db = −dy·a/b²
DEVICE float binary_by_a(int f, float dy, float b) { return f == Times ? dy * b : f == Over ? dy / b : dy; }

DEVICE float binary_by_b(int f, float dy, float a, float b)
{
    switch (f)
    {
        case Plus: return dy;
        case Minus: return -dy;
        case Times: return dy * a;
        default: return -dy * a / (b * b);
    }
}

DEVICE Four binary_by_a(int f, const Four& dy, const Four& b)
{
    Four da;
#pragma unroll
    for (int j = 0; j < 4; j++)
        da[j] = binary_by_a(f, dy[j], b[j]);
    return da;
}

DEVICE Four binary_by_b(int f, const Four& dy, const Four& a, const Four& b)
{
    Four db;
#pragma unroll
    for (int j = 0; j < 4; j++)
        db[j] = binary_by_b(f, dy[j], a[j], b[j]);
    return db;
}

// Which operands the wanted gradients look at: the others are not read.
template <class T> DEVICE bool needs_a(int f, const TargetOf<T>& db) { return f >= Times && db.wanted(); }
template <class A, class B> DEVICE bool needs_b(int f, const TargetOf<A>& da, const TargetOf<B>& db)
{
    return (f >= Times && da.wanted()) || (f == Over && db.wanted());
}

// y = a ∘ b. a, y (N, C); b (N, C), (C) or (N) by broadcast
template <class Fours, class T, class B>
DEVICE void binary_rows(int f, const T* a, const B* b, int broadcast, int N, int C, T* y)
{
    Walk walk(N, C);
    for (index_t c = walk.column; c < C; c += walk.columns)
    {
        Four right = broadcast == Row ? Fours(0, c, C).load(b) : four(0.0f);
        for (index_t n = walk.row; n < N; n += walk.rows)
        {
            Fours fours(n * C, c, C);
            if (broadcast != Row)
                right = broadcast == Column ? four(widen(b[n])) : fours.load(b);
            Four value = fours.load(a);
#pragma unroll
            for (int j = 0; j < 4; j++)
                value[j] = binary(f, value[j], right[j]);
            fours.store(y, value);
        }
    }
}

template <class T, class B>
DEVICE void binary_forward_of(int f, const T* a, const B* b, int broadcast, int N, int C, T* y)
{
    if (rows_lie_whole(C, a, y) && (broadcast == Column || lies_whole(b)))
        binary_rows<WholeFours>(f, a, b, broadcast, N, C, y);
    else
        binary_rows<AnyFours>(f, a, b, broadcast, N, C, y);
}

KERNEL binary_forward(int f, const float* a, const float* b, int broadcast, int N, int C, float* y)
{
    binary_forward_of(f, a, b, broadcast, N, C, y);
}

KERNEL binary_forward_bfloat16(int f, const bfloat16* a, const bfloat16* b, int broadcast, int N, int C, bfloat16* y)
{
    binary_forward_of(f, a, b, broadcast, N, C, y);
}

// b in float32, as gates are.
KERNEL binary_forward_bfloat16_float32(int f, const bfloat16* a, const float* b, int broadcast, int N, int C, bfloat16* y)
{
    binary_forward_of(f, a, b, broadcast, N, C, y);
}

// Without a broadcast. dy, a, b, da, db (n)
template <class T>
DEVICE void binary_backward_of(int f, const T* dy, const T* a, const T* b, int n, TargetOf<T> da, TargetOf<T> db)
{
    bool readsA = needs_a(f, db), readsB = needs_b(f, da, db);
    each_four(n, [&](const auto& fours)
    {
        Four gradient = fours.load(dy), left = readsA ? fours.load(a) : four(0.0f),
             right = readsB ? fours.load(b) : four(1.0f);
        if (da.wanted())
            fours.write(da, binary_by_a(f, gradient, right));
        if (db.wanted())
            fours.write(db, binary_by_b(f, gradient, left, right));
    }, dy, a, b, da, db);
}

KERNEL binary_backward(int f, const float* dy, const float* a, const float* b, int n, Target da, Target db)
{
    binary_backward_of(f, dy, a, b, n, da, db);
}

KERNEL binary_backward_bfloat16(
    int f, const bfloat16* dy, const bfloat16* a, const bfloat16* b, int n, TargetOf<bfloat16> da, TargetOf<bfloat16> db)
{
    binary_backward_of(f, dy, a, b, n, da, db);
}

// b (C) met every row: da, and the sums of db over rowsPerBlock rows per block. dy, a, da (N, C), b (C), db (blocks of rows, C)
KERNEL binary_backward_row(int f, const float* dy, const float* a, const float* b, int N, int C, int rowsPerBlock, Target da, Target db)
{
    Tile tile(N, C, rowsPerBlock);
    bool readsA = needs_a(f, db), readsB = needs_b(f, da, db);
    Four right = readsB ? load_four(b, tile.column, C) : four(1.0f), left = four(0.0f), sum = four(0.0f);
    for (index_t n = tile.start + tile.slot; n < tile.end; n += tile.slots)
    {
        index_t row = n * C;
        Four gradient = load_four(dy + row, tile.column, C);
        if (readsA)
            left = load_four(a + row, tile.column, C);
        if (da.wanted())
            da.from(row).write_four(tile.column, C, binary_by_a(f, gradient, right));
        sum = sum + binary_by_b(f, gradient, left, right);
    }

    if (db.wanted())
        tile.write(sum, 1.0f, C, db);
}

// b (N) met every column: da, and db = its sum over the row. dy, a, da (N, C), b, db (N)
template <class T>
DEVICE void binary_backward_column_of(int f, const T* dy, const T* a, const float* b, int N, int C, TargetOf<T> da, Target db)
{
    bool readsA = needs_a(f, db), readsB = needs_b(f, da, db);
    Team team(C);
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t row = n * C;
        Four right = four(readsB && exists ? b[n] : 1.0f), sum = four(0.0f);
        for (int k = 0; exists && team.column(k) < C; k++)
        {
            index_t c = team.column(k);
            Four gradient = load_four(dy + row, c, C), left = readsA ? load_four(a + row, c, C) : four(0.0f);
            if (da.wanted())
                da.from(row).write_four(c, C, binary_by_a(f, gradient, right));
            sum = sum + binary_by_b(f, gradient, left, right);
        }

        float total = team.sum(sum_four(sum));
        if (db.wanted() && exists && team.rank == 0)
            db.write(n, total);
    });
}

KERNEL binary_backward_column(int f, const float* dy, const float* a, const float* b, int N, int C, Target da, Target db)
{
    binary_backward_column_of(f, dy, a, b, N, C, da, db);
}

KERNEL binary_backward_column_bfloat16(
    int f, const bfloat16* dy, const bfloat16* a, const float* b, int N, int C, TargetOf<bfloat16> da, Target db)
{
    binary_backward_column_of(f, dy, a, b, N, C, da, db);
}
