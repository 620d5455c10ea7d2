using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Softmax, its normaliser, and the losses that are made of them.
public abstract partial class Backend
{
    /// <summary>y = softmax of each row. x, y (N, C).</summary>
    public abstract void SoftmaxForward(Floats x, int N, int C, Floats y);

    /// <summary>y, dy, dx (N, C).</summary>
    public abstract void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx);

    /// <summary>y[n] = log Σ_c exp(x[n, c]). x (N, C), y (N).</summary>
    public abstract void LogSumExpForward(Floats x, int N, int C, Floats y);

    /// <summary>dy, y (N), x, dx (N, C).</summary>
    public abstract void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx);

    /// <summary>loss = mean over rows with target ≥ 0 of −log softmax(logits)[target]; zero
    /// when no row counts. logits (N, V), targets (N), loss (1), logSumExp (N).</summary>
    public abstract void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp);

    /// <summary>dloss (1), logits, dlogits (N, V), targets, logSumExp (N).</summary>
    public abstract void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits);

    /// <summary>The z-loss: loss = scale·Σ mask[n]·logSumExp[n]². logits (N, E),
    /// mask (N), 1 or 0, or empty for all, loss (1), logSumExp (N).</summary>
    public abstract void ZLossForward(Floats logits, Floats mask, float scale, int N, int E, Floats loss, Floats logSumExp);

    /// <summary>dloss (1), logits, dlogits (N, E), mask, logSumExp (N).</summary>
    public abstract void ZLossBackward(
        Floats dloss, Floats logits, Floats mask, Floats logSumExp, float scale, int N, int E, Target dlogits);
}
