// RMSNorm and LayerNorm, of x or of a sum s = x + branch. A team of threads has a row (rows.cuh): it reads the row once, keeps it on chip
// while it reduces, and writes the result; the weights stay on chip from row to row. Rows are float32, or bfloat16 (T); weights, statistics
// and all sums are float32.
// The backward is in norm_backward.cu.
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
