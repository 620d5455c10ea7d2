using TinyMoE.Memory;
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

    /// <summary>y = (x − mean)·r·w + b with r = 1/√(var + eps), over the last dimension (Ba et al. 2016). x (..., C), w (C), b (C) or null.</summary>
    public static Tensor LayerNorm(this Tensor x, Tensor w, Tensor? b, float eps = 1e-5f)
    {
        int C = x.Shape.Last, N = x.Count / C;                   // x (N, C), w (C), b (C)
        Check.Shape(nameof(LayerNorm), w, C);
        if (b is not null)
            Check.Shape(nameof(LayerNorm), b, C);

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);                            // (N, C)
        Floats mean = tape.Saved(N), r = tape.Saved(N);          // (N)
        tape.Backend.LayerNormForward(x.Data, w.Data, b?.Data ?? default, N, C, eps, y.Data, mean, r);

        // with x̂ = (x − mean)·r:  dx = r·(dy·w − mean(dy·w) − x̂·mean(dy·w·x̂)),   dw = Σ_n dy·x̂,   db = Σ_n dy
        return tape.Record(nameof(LayerNorm), y, () =>
            tape.Backend.LayerNormBackward(y.Grad, x.Data, w.Data, mean, r, N, C, x.GradTarget(), w.GradTarget(), b?.GradTarget() ?? Target.None));
    }
}
