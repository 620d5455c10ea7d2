using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>y = x · r · w with r = 1/√(mean(x²) + eps), over the last dimension (Zhang and Sennrich 2019). x (..., C), w (C).</summary>
    public static Tensor RmsNorm(this Tensor x, Tensor w, float eps = 1e-5f)
    {
        int C = x.Shape.Last, N = x.Count / C;                   // x (N, C), w (C)
        Check.Shape(nameof(RmsNorm), w, C);

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);                            // (N, C)
        Floats r = tape.Saved(N);                                // (N)
        tape.Backend.RmsNormForward(x.Data, w.Data, N, C, eps, y.Data, r);

        // with x̂ = x·r:  dx = r·(dy·w − x̂·mean(dy·w·x̂)),   dw = Σ_n dy·x̂
        return tape.Record(nameof(RmsNorm), y, () =>
            tape.Backend.RmsNormBackward(y.Grad, x.Data, w.Data, r, N, C, x.GradTarget(), w.GradTarget()));
    }
}
