using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Norms. A norm of a sum, s = x + branch, also gives s; without a branch (empty) s is x and is not written. Its backward gets ds, the
// gradient of s from elsewhere (or empty), and gives the whole gradient of s to x and to the branch. s may be the branch itself, and a
// stored dbranch ds itself.
public abstract partial class Backend
{
    /// <summary>y = s·r·w, r = 1/√(mean(s²) + eps). x, branch, s, y (N, C), w (C), r (N).</summary>
    public abstract void RmsNormForward(Values x, Values branch, Floats w, int N, int C, float eps, Values s, Values y, Floats r);

    /// <summary>dy, ds, s, dx, dbranch (N, C), w, dw (C), r (N).</summary>
    public abstract void RmsNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw);

    /// <summary>y = (s − mean)·r·w + b, r = 1/√(var(s) + eps), population variance.
    /// x, branch, s, y (N, C), w, b (C), b may be empty; mean, r (N).</summary>
    public abstract void LayerNormForward(
        Values x, Values branch, Floats w, Floats b, int N, int C, float eps, Values s, Values y, Floats mean, Floats r);

    /// <summary>dy, ds, s, dx, dbranch (N, C), w, dw, db (C), mean, r (N).</summary>
    public abstract void LayerNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db);
}
