// The backward of RMSNorm and LayerNorm. A team of threads has a row (rows.cuh): it reads the row once, keeps it on chip while it reduces,
// and writes the result; the weights stay on chip from row to row. Rows are float32, or bfloat16 (T); weights, statistics and all sums are
// float32.
//
// dw and db are sums over rows: each block adds up its rows on chip and writes one partial row; sum_rows (reduce.cu) adds these. RMSNorm's
// one sum is in registers: in shared memory, with what else is there, it would leave room for fewer blocks. Once per launch it is asked
// whether all rows can be read and written by fours (fours.cuh).
#include "fours.cuh"
#include "rows.cuh"

// The sum of a vector (C) over the rows of a team and, in the end, of the block: each thread its first fours in registers, and what lies
// beyond in the block's partial row.
struct HeldSum
{
    Four first, second;

    DEVICE void clear()
    {
        static_assert(KeptFours == 2, "these two");
        first = second = four(0.0f);
    }

    // partial (C) is the block's; isFirst: it holds nothing yet.
    DEVICE void add(int k, const Four& value, float* partial, bool isFirst, index_t c, int C)
    {
        if (k == 0)
            first = first + value;
        else if (k == 1)
            second = second + value;
        else
            store_four(partial, c, C, isFirst ? value : load_four(partial, c, C) + value);
    }

    // Adds up the teams of the block.
    DEVICE void write(const Team& team, float* partial, int C) const
    {
        Four sum = sum_over_slots(first, team.size);
        if (threadIdx.x < team.size)
            store_four(partial, team.column(0), C, sum);
        sum = sum_over_slots(second, team.size);
        if (threadIdx.x < team.size)
            store_four(partial, team.column(1), C, sum);
    }
};

// The same in shared memory: for two sums, registers of a block's threads do not suffice.
struct SharedSum
{
    KeptRow sums;

    DEVICE void clear()
    {
        for (int k = 0; k < KeptFours; k++)
            sums.keep(k, four(0.0f));
    }

    // partial (C) is the block's; isFirst: it holds nothing yet.
    DEVICE void add(int k, const Four& value, float* partial, bool isFirst, index_t c, int C)
    {
        if (k < KeptFours)
            sums.kept[k][threadIdx.x] = sums.kept[k][threadIdx.x] + value;
        else
            store_four(partial, c, C, isFirst ? value : load_four(partial, c, C) + value);
    }

    // Adds up the teams of the block.
    DEVICE void write(const Team& team, float* partial, int C) const
    {
        for (int k = 0; k < KeptFours; k++)
        {
            Four sum = sum_over_slots(sums.kept[k][threadIdx.x], team.size);
            if (threadIdx.x < team.size)
                store_four(partial, team.column(k), C, sum);
        }
    }
};

// Number k of a thread's fours of a row: of what is kept on chip, or read again.
template <class Fours, class T> DEVICE Four get(const KeptRow& row, int k, const Fours& fours, const T* x)
{
    return k < KeptFours ? row.kept[k][threadIdx.x] : fours.load(x);
}

// With x̂ = (s − mean)·r, the mean 0 where there is none: ds' = r·(dy·w − mean(dy·w) − x̂·mean(dy·w·x̂)) + ds,
// its first mean only where there are means; dx and dbranch get ds', dw = Σ_n dy·x̂, db = Σ_n dy, both as one partial row per block.
// dy, ds, s, dx, dbranch (N, C), w (C), mean, r (N), dw, db (blocks, C); ds, mean, dw, db may be none; dbranch may be ds
template <bool Centered, class Fours, class T, class Sum>
DEVICE void norm_backward_rows(
    const T* dy, const T* ds, const T* s, const float* w, const float* mean, const float* r, int N, int C,
    TargetOf<T> dx, TargetOf<T> dbranch, float* dw, float* db, KeptRow& gradients, KeptRow& row, const SharedRow& weights, Sum& dwSum,
    Sum& dbSum)
{
    Team team(C);
    dwSum.clear();
    dbSum.clear();
    bool isFirst = true;
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float center = Centered && exists ? mean[n] : 0.0f, scale = exists ? r[n] : 0.0f, slopes = 0, products = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            index_t c = team.column(k);
            Fours fours(at, c, C);
            Four gradient = fours.load(dy), value = fours.load(s, center);
            Four slope = gradient * weights.get(team, k, w, C), normal = (value + four(-center)) * scale;
            gradients.keep(k, gradient);
            row.keep(k, value);
            slopes += sum_four(slope);
            products += sum_four(slope * normal);
            if (dw != nullptr)
                dwSum.add(k, gradient * normal, dw, isFirst, c, C);
            if (Centered && db != nullptr)
                dbSum.add(k, gradient, db, isFirst, c, C);
        }

        isFirst = false;
        if (!dx.wanted() && !dbranch.wanted())
            return;

        float meanSlope = Centered ? team.sum(slopes) / C : 0.0f, meanProduct = team.sum(products) / C;
        for (int k = 0; team.column(k) < length; k++)
        {
            Fours fours(at, team.column(k), C);
            Four slope = get(gradients, k, fours, dy) * weights.get(team, k, w, C),
                 normal = (get(row, k, fours, s) + four(-center)) * scale;
            Four gradient = (slope + four(-meanSlope) + normal * -meanProduct) * scale;
            if (ds != nullptr)
                gradient = gradient + fours.load(ds);
            if (dx.wanted())
                fours.write(dx, gradient);
            if (dbranch.wanted())
                fours.write(dbranch, gradient);
        }
    });

    if (dw != nullptr)
        dwSum.write(team, dw, C);
    if (Centered && db != nullptr)
        dbSum.write(team, db, C);
}

template <bool Centered, class Sum, class T>
DEVICE void norm_backward(
    const T* dy, const T* ds, const T* s, const float* __restrict__ w, const float* mean, const float* r, int N, int C,
    TargetOf<T> dx, TargetOf<T> dbranch, float* dw, float* db, Sum& dwSum, Sum& dbSum)
{
    __shared__ KeptRow gradients, row;
    __shared__ SharedRow weights;
    weights.keep(Team(C), w, C);
    dw = dw != nullptr ? dw + (index_t)blockIdx.x * C : nullptr;
    db = db != nullptr ? db + (index_t)blockIdx.x * C : nullptr;
    if (rows_lie_whole(C, dy, ds, s, dx, dbranch))
        norm_backward_rows<Centered, WholeFours>(
            dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db, gradients, row, weights, dwSum, dbSum);
    else
        norm_backward_rows<Centered, AnyFours>(
            dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db, gradients, row, weights, dwSum, dbSum);
}

// Without means, and so without db.
template <class T>
DEVICE void rms_norm_backward_of(
    const T* dy, const T* ds, const T* s, const float* w, const float* r, int N, int C, TargetOf<T> dx, TargetOf<T> dbranch, float* dw)
{
    HeldSum dwSum, none;
    norm_backward<false>(dy, ds, s, w, (const float*)nullptr, r, N, C, dx, dbranch, dw, (float*)nullptr, dwSum, none);
}

template <class T>
DEVICE void layer_norm_backward_of(
    const T* dy, const T* ds, const T* s, const float* w, const float* mean, const float* r, int N, int C, TargetOf<T> dx,
    TargetOf<T> dbranch, float* dw, float* db)
{
    __shared__ SharedSum dwSum, dbSum;
    norm_backward<true>(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db, dwSum, dbSum);
}

KERNEL __launch_bounds__(BlockThreads) rms_norm_backward(
    const float* dy, const float* ds, const float* s, const float* w, const float* r, int N, int C, Target dx, Target dbranch, float* dw)
{
    rms_norm_backward_of(dy, ds, s, w, r, N, C, dx, dbranch, dw);
}

KERNEL __launch_bounds__(BlockThreads, 4) layer_norm_backward(
    const float* dy, const float* ds, const float* s, const float* w, const float* mean, const float* r, int N, int C,
    Target dx, Target dbranch, float* dw, float* db)
{
    layer_norm_backward_of(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
}

KERNEL __launch_bounds__(BlockThreads) rms_norm_backward_bfloat16(
    const bfloat16* dy, const bfloat16* ds, const bfloat16* s, const float* w, const float* r, int N, int C,
    TargetOf<bfloat16> dx, TargetOf<bfloat16> dbranch, float* dw)
{
    rms_norm_backward_of(dy, ds, s, w, r, N, C, dx, dbranch, dw);
}

KERNEL __launch_bounds__(BlockThreads, 4) layer_norm_backward_bfloat16(
    const bfloat16* dy, const bfloat16* ds, const bfloat16* s, const float* w, const float* mean, const float* r, int N, int C,
    TargetOf<bfloat16> dx, TargetOf<bfloat16> dbranch, float* dw, float* db)
{
    layer_norm_backward_of(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
}
