// RMSNorm and LayerNorm, of x or of a sum s = x + branch. A team of threads has a row (rows.cuh): it reads the row once, keeps it on chip
// while it reduces, and writes the result; the weights stay on chip from row to row. Rows are float32, or bfloat16 (T); weights, statistics
// and all sums are float32.
//
// The backward's dw and db are sums over rows: each block adds up its rows on chip and writes one partial row;
// sum_rows (reduce.cu) adds these.
#include "rows.cuh"

// The four columns of s = x + branch from c on, which it writes; without a branch, those of x.
template <class T> DEVICE Four read_sum(const T* x, const T* branch, T* s, index_t c, int C)
{
    Four value = load_four(x, c, C);
    if (branch != nullptr)
    {
        value = value + load_four(branch, c, C);
        store_four(s, c, C, value);
    }

    return value;
}

// A row, or nothing where there is none.
template <class T> DEVICE const T* row_of(const T* x, index_t at) { return x != nullptr ? x + at : nullptr; }

// y = s·r·w, r = 1/√(mean(s²) + eps). x, branch, s, y (N, C), w (C), r (N); s may be branch
template <class T>
DEVICE void rms_norm(const T* x, const T* branch, const float* w, int N, int C, float eps, T* s, T* y, float* r)
{
    __shared__ KeptRow row;
    __shared__ SharedRow weights;
    Team team(C);
    weights.keep(team, w, C);
    const T* source = branch != nullptr ? s : x; // of what does not fit on chip
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float squares = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            Four value = read_sum(x + at, row_of(branch, at), s + at, team.column(k), C);
            row.keep(k, value);
            squares += sum_four(value * value);
        }

        float scale = 1.0f / sqrtf(team.sum(squares) / C + eps);
        for (int k = 0; team.column(k) < length; k++)
        {
            index_t c = team.column(k);
            store_four(y + at, c, C, row.get(k, source + at, c, C) * scale * weights.get(team, k, w, C));
        }

        if (exists && team.rank == 0)
            r[n] = scale;
    });
}

KERNEL rms_norm_forward(const float* x, const float* branch, const float* w, int N, int C, float eps, float* s, float* y, float* r)
{
    rms_norm(x, branch, w, N, C, eps, s, y, r);
}

KERNEL rms_norm_forward_bfloat16(
    const bfloat16* x, const bfloat16* branch, const float* w, int N, int C, float eps, bfloat16* s, bfloat16* y, float* r)
{
    rms_norm(x, branch, w, N, C, eps, s, y, r);
}

// y = (s − mean)·r·w + b, r = 1/√(var(s) + eps), population variance. x, branch, s, y (N, C), w, b (C), b may be none;
// mean, r (N); s may be branch
template <class T>
DEVICE void layer_norm(
    const T* x, const T* branch, const float* w, const float* b, int N, int C, float eps, T* s, T* y, float* mean, float* r)
{
    __shared__ KeptRow row;
    __shared__ SharedRow weights, offsets;
    Team team(C);
    weights.keep(team, w, C);
    if (b != nullptr)
        offsets.keep(team, b, C);
    const T* source = branch != nullptr ? s : x; // of what does not fit on chip
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float sum = 0, squares = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            Four value = read_sum(x + at, row_of(branch, at), s + at, team.column(k), C);
            row.keep(k, value);
            sum += sum_four(value);
        }

        // The variance is that of the distances from the mean: the mean of the squares less the square of the mean would lose its digits
        // where the mean is large.
        float center = team.sum(sum) / C;
        for (int k = 0; team.column(k) < length; k++)
        {
            index_t c = team.column(k);
            Four value = row.get(k, source + at, c, C);
            for (int j = 0; j < 4; j++)
                squares += c + j < C ? (value[j] - center) * (value[j] - center) : 0.0f;
        }

        float scale = 1.0f / sqrtf(team.sum(squares) / C + eps);
        for (int k = 0; team.column(k) < length; k++)
        {
            index_t c = team.column(k);
            Four normal = (row.get(k, source + at, c, C) + four(-center)) * scale * weights.get(team, k, w, C);
            store_four(y + at, c, C, b != nullptr ? normal + offsets.get(team, k, b, C) : normal);
        }

        if (exists && team.rank == 0)
        {
            mean[n] = center;
            r[n] = scale;
        }
    });
}

KERNEL layer_norm_forward(
    const float* x, const float* branch, const float* w, const float* b, int N, int C, float eps, float* s, float* y, float* mean, float* r)
{
    layer_norm(x, branch, w, b, N, C, eps, s, y, mean, r);
}

KERNEL layer_norm_forward_bfloat16(
    const bfloat16* x, const bfloat16* branch, const float* w, const float* b, int N, int C, float eps, bfloat16* s, bfloat16* y,
    float* mean, float* r)
{
    layer_norm(x, branch, w, b, N, C, eps, s, y, mean, r);
}

// ---- Backward ---------------------------------------------------------------------------------------------------------------------------

// The sum of a vector (C) over the rows of a team and, in the end, of the block:
// on chip, and what does not fit there in the block's partial row.
struct ColumnSum
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

// With x̂ = (s − mean)·r, the mean 0 where there is none: ds' = r·(dy·w − mean(dy·w) − x̂·mean(dy·w·x̂)) + ds,
// its first mean only where there are means; dx and dbranch get ds', dw = Σ_n dy·x̂, db = Σ_n dy, both as one partial row per block.
// dy, ds, s, dx, dbranch (N, C), w (C), mean, r (N), dw, db (blocks, C); ds, mean, dw, db may be none; dbranch may be ds
template <bool Centered, class T>
DEVICE void norm_backward(
    const T* dy, const T* ds, const T* s, const float* w, const float* mean, const float* r, int N, int C,
    TargetOf<T> dx, TargetOf<T> dbranch, float* dw, float* db)
{
    __shared__ KeptRow gradients, row;
    __shared__ SharedRow weights;
    __shared__ ColumnSum dwSum, dbSum;
    Team team(C);
    weights.keep(team, w, C);
    dwSum.clear();
    dbSum.clear();
    dw = dw != nullptr ? dw + (index_t)blockIdx.x * C : nullptr;
    db = db != nullptr ? db + (index_t)blockIdx.x * C : nullptr;
    bool isFirst = true;
    each_row(team, N, [&](index_t n, bool exists)
    {
        index_t at = n * C;
        int length = exists ? C : 0;
        float center = Centered && exists ? mean[n] : 0.0f, scale = exists ? r[n] : 0.0f, slopes = 0, products = 0;
        for (int k = 0; team.column(k) < length; k++)
        {
            index_t c = team.column(k);
            Four gradient = load_four(dy + at, c, C), value = load_four(s + at, c, C, center);
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
            index_t c = team.column(k);
            Four slope = gradients.get(k, dy + at, c, C) * weights.get(team, k, w, C),
                 normal = (row.get(k, s + at, c, C) + four(-center)) * scale;
            Four gradient = (slope + four(-meanSlope) + normal * -meanProduct) * scale;
            if (ds != nullptr)
                gradient = gradient + load_four(ds + at, c, C);
            if (dx.wanted())
                dx.from(at).write_four(c, C, gradient);
            if (dbranch.wanted())
                dbranch.from(at).write_four(c, C, gradient);
        }
    });

    if (dw != nullptr)
        dwSum.write(team, dw, C);
    if (Centered && db != nullptr)
        dbSum.write(team, db, C);
}

KERNEL rms_norm_backward(
    const float* dy, const float* ds, const float* s, const float* w, const float* r, int N, int C, Target dx, Target dbranch, float* dw)
{
    norm_backward<false, float>(dy, ds, s, w, nullptr, r, N, C, dx, dbranch, dw, nullptr);
}

KERNEL layer_norm_backward(
    const float* dy, const float* ds, const float* s, const float* w, const float* mean, const float* r, int N, int C,
    Target dx, Target dbranch, float* dw, float* db)
{
    norm_backward<true, float>(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
}

KERNEL rms_norm_backward_bfloat16(
    const bfloat16* dy, const bfloat16* ds, const bfloat16* s, const float* w, const float* r, int N, int C,
    TargetOf<bfloat16> dx, TargetOf<bfloat16> dbranch, float* dw)
{
    norm_backward<false, bfloat16>(dy, ds, s, w, nullptr, r, N, C, dx, dbranch, dw, nullptr);
}

KERNEL layer_norm_backward_bfloat16(
    const bfloat16* dy, const bfloat16* ds, const bfloat16* s, const float* w, const float* mean, const float* r, int N, int C,
    TargetOf<bfloat16> dx, TargetOf<bfloat16> dbranch, float* dw, float* db)
{
    norm_backward<true, bfloat16>(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
}
