// The tiles of attention: 64 queries by 64 keys, made and used by a block of 128 threads. The kernels are in attention.cu and
// attention_backward.cu.
#pragma once
#include "attention_shape.cuh"

constexpr int Tile = 64;                    // queries, and keys, of a tile
constexpr int Slice = 32;                   // columns of D in shared memory at a time
constexpr int Threads = 128;                // of a block: 16 groups of 8
constexpr int Lanes = 8;                    // threads of a group: they share 4 rows of a tile
constexpr int Groups = Threads / Lanes;
constexpr int Rows = Tile / Groups;         // 4 rows and 8 columns of a tile are a thread's own
constexpr int Columns = Tile / Lanes;
constexpr float Log2E = 1.44269504f, Ln2 = 0.693147181f;

// Rows padded so that neighbouring rows begin in other banks: 8 rows of a slice read by 16 bytes, and 4 rows of a tile, fall on 32 banks.
struct alignas(16) Shared
{
    float a[Tile][Slice + 4], b[Tile][Slice + 4];
    float tile[Tile][Tile + 8];             // (query, key)
    uint64 kept[Tile];                      // dropout: a bit for each key that a query keeps
};

// The rows and columns of a tile that are this thread's own.
DEVICE int row_of(int i) { return threadIdx.x / Lanes + Groups * i; }
DEVICE int column_of(int j) { return threadIdx.x % Lanes + Lanes * j; }

// Bit `column_of(j)` of a row of 64 bits, given the row shifted by column_of(0): 32-bit tests of constants.
DEVICE bool bit_of(uint64 shifted, int j) { return shifted & 1ull << (Lanes * j); }

struct TileShape : Shape
{
    // Which of the 64 keys from `s` on query t sees, a bit each.
    DEVICE uint64 seen(int t, int s) const
    {
        int high = position(t) - s, low = window > 0 ? max(high - window, -1) : -1; // keys s + low + 1 to s + high
        return (bits_to(high)) & ~bits_to(low);
    }

    DEVICE static uint64 bits_to(int last) { return last < 0 ? 0 : last >= 63 ? ~0ull : (2ull << last) - 1; }
};

// The rows that a block owns: it begins with those that see the most, so that the last blocks to run are short ones.
struct Piece
{
    int head, start, from; // head of all sequences, first row, first column of D

    DEVICE Piece(int rows, int size, int D, bool lastFirst)
    {
        int parts = ceil_div(D, size), tiles = ceil_div(rows, Tile), heads = gridDim.x / (parts * tiles);
        int tile = blockIdx.x / (parts * heads);
        from = blockIdx.x % parts * size;
        head = blockIdx.x / parts % heads;
        start = (lastFirst ? tiles - 1 - tile : tile) * Tile;
    }
};

// Up to 64 rows of one head, `distance` floats apart. A tensor has less than 2^31 elements: 32 bits tell where in it, and save registers.
struct HeadRows
{
    const float* x;
    int start, distance, count;
};

struct TargetRows
{
    Target y;
    int start, distance, count;
};

// x (B, length, row), the rows of one head from row `from` on; the heads are the first columns of a row.
DEVICE HeadRows rows_of(const float* x, int b, int length, int from, int row, int head, int D)
{
    return { x, (b * length + from) * row + head * D, row, min(Tile, length - from) };
}

DEVICE TargetRows rows_of(Target y, int b, int length, int from, int row, int head, int D)
{
    return { y, (b * length + from) * row + head * D, row, min(Tile, length - from) };
}

// ---- Tiles -----------------------------------------------------------------------------------------------------------------------------

// Columns d to d + 31 of the rows; zero where there is no row or no column. A warp takes 32 neighbouring floats of a row: 16 bytes per
// thread would not pay beside the arithmetic, and would need D and the views to be multiples of them.
DEVICE void load_slice(float (*slice)[Slice + 4], HeadRows rows, int d, int D)
{
    int from = rows.start + d + lane();
    bool inside = d + lane() < D;
#pragma unroll 4
    for (int r = warp(); r < Tile; r += Threads / WarpSize)
        slice[r][lane()] = inside && r < rows.count ? __ldg(rows.x + from + r * rows.distance) : 0;
}

// The same columns back, from a slice.
DEVICE void store_slice(const float (*slice)[Slice + 4], TargetRows rows, int d, int D)
{
    if (d + lane() < D)
#pragma unroll 1
        for (int r = warp(); r < rows.count; r += Threads / WarpSize)
            rows.y.write(rows.start + r * rows.distance + d + lane(), slice[r][lane()]);
}

// products[i][j] = a[row_of(i)]·b[column_of(j)], over all of D.
DEVICE void multiply_rows(Shared& shared, HeadRows a, HeadRows b, int D, float (&products)[Rows][Columns])
{
#pragma unroll
    for (int i = 0; i < Rows; i++)
#pragma unroll
        for (int j = 0; j < Columns; j++)
            products[i][j] = 0;

    for (int d = 0; d < D; d += Slice)
    {
        __syncthreads(); // what was in the slices has been read
        load_slice(shared.a, a, d, D);
        load_slice(shared.b, b, d, D);
        __syncthreads();
#pragma unroll 1
        for (int c = 0; c < min(Slice, D - d); c += 4) // beyond D both are zero
        {
            float4 left[Rows];
#pragma unroll
            for (int i = 0; i < Rows; i++)
                left[i] = *(const float4*)&shared.a[row_of(i)][c];
#pragma unroll
            for (int j = 0; j < Columns; j++)
            {
                float4 right = *(const float4*)&shared.b[column_of(j)][c];
#pragma unroll
                for (int i = 0; i < Rows; i++)
                    products[i][j] = fmaf(
                        left[i].w, right.w, fmaf(left[i].z, right.z, fmaf(left[i].y, right.y, fmaf(left[i].x, right.x, products[i][j]))));
            }
        }
    }
}

DEVICE void add_scaled(float4& sum, float factor, float4 value)
{
    sum.x = fmaf(factor, value.x, sum.x);
    sum.y = fmaf(factor, value.y, sum.y);
    sum.z = fmaf(factor, value.z, sum.z);
    sum.w = fmaf(factor, value.w, sum.w);
}

// What a block adds up: Size columns of D, from column `from` on, of its 64 rows; a thread has 4 rows and 4 columns in every 32.
template <int Size>
struct Sums
{
    float4 values[Size / Slice][Rows];

    DEVICE void clear()
    {
#pragma unroll
        for (int slice = 0; slice < Size / Slice; slice++)
#pragma unroll
            for (int i = 0; i < Rows; i++)
                values[slice][i] = make_float4(0, 0, 0, 0);
    }

    DEVICE void scale_row(int slice, int i, float factor)
    {
        float4& value = values[slice][i];
        value = make_float4(value.x * factor, value.y * factor, value.z * factor, value.w * factor);
    }

    DEVICE void scale_row(int i, float factor)
    {
#pragma unroll
        for (int slice = 0; slice < Size / Slice; slice++)
            scale_row(slice, i, factor);
    }

    // sums[row_of(i)] += Σ_s tile[row_of(i)][s]·x[s]
    DEVICE void add_keys(Shared& shared, HeadRows x, int from, int D)
    {
#pragma unroll
        for (int slice = 0; slice < Size / Slice; slice++)
        {
            if (from + slice * Slice >= D)
                break;
            __syncthreads(); // the tile is complete, and what was in the slice has been read
            load_slice(shared.a, x, from + slice * Slice, D);
            __syncthreads();
#pragma unroll 1
            for (int s = 0; s < x.count; s += 4)
            {
                float4 weights[Rows];
#pragma unroll
                for (int i = 0; i < Rows; i++)
                    weights[i] = *(const float4*)&shared.tile[row_of(i)][s];
#pragma unroll
                for (int u = 0; u < 4; u++)
                {
                    float4 value = *(const float4*)&shared.a[s + u][4 * (threadIdx.x % Lanes)];
#pragma unroll
                    for (int i = 0; i < Rows; i++)
                    {
                        float weight = u == 0 ? weights[i].x : u == 1 ? weights[i].y : u == 2 ? weights[i].z : weights[i].w;
                        add_scaled(values[slice][i], weight, value);
                    }
                }
            }
        }
    }

    // sums[key_of(i)] += Σ_t tile[t][key_of(i)]·x[t]
    DEVICE void add_queries(Shared& shared, HeadRows x, int from, int D)
    {
#pragma unroll
        for (int slice = 0; slice < Size / Slice; slice++)
        {
            if (from + slice * Slice >= D)
                break;
            __syncthreads(); // as above
            load_slice(shared.a, x, from + slice * Slice, D);
            __syncthreads();
#pragma unroll 2
            for (int t = 0; t < x.count; t++)
            {
                float4 weights = *(const float4*)&shared.tile[t][key_of(0)],
                       value = *(const float4*)&shared.a[t][4 * (threadIdx.x % Lanes)];
                add_scaled(values[slice][0], weights.x, value);
                add_scaled(values[slice][1], weights.y, value);
                add_scaled(values[slice][2], weights.z, value);
                add_scaled(values[slice][3], weights.w, value);
            }
        }
    }

    // Keys that a thread sums for lie side by side: one access reads the weights of all four.
    DEVICE static int key_of(int i) { return Rows * (threadIdx.x / Lanes) + i; }

    // Times a factor, to the rows of y: sums i belong to its row `row` + i·step.
    // By way of a slice, so that a warp writes neighbouring floats.
    DEVICE void write(Shared& shared, float factor, int row, int step, TargetRows y, int from, int D)
    {
#pragma unroll
        for (int slice = 0; slice < Size / Slice; slice++)
        {
            if (from + slice * Slice >= D)
                break;
            __syncthreads(); // what was in the slice has been read
#pragma unroll
            for (int i = 0; i < Rows; i++)
            {
                scale_row(slice, i, factor);
                *(float4*)&shared.a[row + i * step][4 * (threadIdx.x % Lanes)] = values[slice][i];
            }

            __syncthreads();
            store_slice(shared.a, y, from + slice * Slice, D);
        }
    }

    // The same, turned back: by way of slices and tile together, since pairs are half of what is turned apart. Size columns are all of D;
    // the first row is at `position`.
    DEVICE void write_turned(Shared& shared, float factor, int row, int step, TargetRows y, int D, const Turn& turn, int position)
    {
        constexpr int Row = Size + 4;
        static_assert(sizeof(float) * Tile * Row <= sizeof(Shared::a) + sizeof(Shared::b) + sizeof(Shared::tile), "they hold it");
        float* rows = (float*)&shared;
        __syncthreads(); // what was in them has been read
#pragma unroll
        for (int slice = 0; slice < Size / Slice; slice++)
#pragma unroll
            for (int i = 0; i < Rows; i++)
            {
                scale_row(slice, i, factor);
                *(float4*)(rows + (row + i * step) * Row + slice * Slice + 4 * (threadIdx.x % Lanes)) = values[slice][i];
            }

        __syncthreads();
#pragma unroll 1
        for (int r = warp(); r < y.count; r += Threads / WarpSize)
        {
            float* to = y.y.data + y.start + r * y.distance;
            turn.back(rows + r * Row, position + r, 0, D, [&](int c, float x) { to[c] = x; });
        }
    }
};

// ---- Softmax and dropout ---------------------------------------------------------------------------------------------------------------

// Over the 8 threads that share a row.
template <class T, class Op> DEVICE T reduce_row(T value, Op op) { return reduce_lanes<Lanes>(value, op); }

struct Union { DEVICE uint64 operator()(uint64 a, uint64 b) const { return a | b; } };

// Dropout of the weights: the number of query t of head h (of all sequences) and key s is (h·T + t)·S + s.
struct Drop
{
    float rate;
    Stream stream;

    // Draws for a tile whose first number is `first`, S numbers per row: a thread draws four neighbouring keys at a time, and the bits of a
    // row come together. A row's bits are for its own 8 threads; a barrier has to follow, and another before the next draw.
    DEVICE void draw(Shared& shared, index_t first, int S) const
    {
        if (rate == 0)
            return;
#pragma unroll 1
        for (int i = 0; i < Rows; i++)
        {
            uint64 bits = 0;
#pragma unroll 1
            for (int s = 4 * (threadIdx.x % Lanes); s < Tile; s += Tile / 2)
            {
                uint4 words = stream.words(stream.first + first + (index_t)row_of(i) * S + s);
                bits |= (uint64)(keeps(words.x) | keeps(words.y) << 1 | keeps(words.z) << 2 | keeps(words.w) << 3) << s;
            }

            bits = reduce_row(bits, Union());
            if (threadIdx.x % Lanes == 0)
                shared.kept[row_of(i)] = bits;
        }
    }

    DEVICE uint32 keeps(uint32 word) const { return Stream::to_uniform(word) >= rate; }

    // What was drawn for row i of this thread.
    DEVICE uint64 kept(const Shared& shared, int i) const { return rate == 0 ? ~0ull : shared.kept[row_of(i)]; }

    // What a kept weight is multiplied by.
    DEVICE float factor() const { return 1 / (1 - rate); }
};
