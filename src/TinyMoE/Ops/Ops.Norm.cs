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
        Tensor y = tape.New(x.Shape, x.Type);                    // (N, C)
        Floats r = tape.Saved(N);                                // (N)
        tape.Backend.RmsNormForward(x.Values, default, w.Data, N, C, eps, default, y.Values, r);

        // with x̂ = x·r:  dx = r·(dy·w − x̂·mean(dy·w·x̂)),   dw = Σ_n dy·x̂
        return tape.Record(nameof(RmsNorm), y, x, w, r, static (y, x, w, r) => y.Tape.Backend.RmsNormBackward(
            y.GradValues, default, x.Values, w.Data, r, r.Length, x.Shape.Last, x.GradTarget(), Target.None, w.GradTarget()));
    }

    /// <summary>Sum = x + branch and Y = RmsNorm(Sum), a residual connection with the norm that follows it, in
    /// one pass. x, branch, results (..., C), w (C). Uses branch up (<see cref="Tape.NewOver"/>).</summary>
    public static (Tensor Sum, Tensor Y) AddRmsNorm(this Tensor x, Tensor branch, Tensor w, float eps = 1e-5f)
    {
        int C = x.Shape.Last, N = x.Count / C;                   // x, branch (N, C), w (C)
        Check.Shape(nameof(AddRmsNorm), branch, x.Shape);
        Check.Shape(nameof(AddRmsNorm), w, C);

        Tape tape = x.Tape;
        Values branchValues = branch.Values;
        Tensor s = ResidualSum(x, branch), y = tape.New(x.Shape, x.Type); // (N, C)
        Floats r = tape.Saved(N);                                // (N)
        tape.Backend.RmsNormForward(x.Values, branchValues, w.Data, N, C, eps, s.Values, y.Values, r);

        // with ŝ = s·r:  dx = dbranch = ds + r·(dy·w − ŝ·mean(dy·w·ŝ)),   dw = Σ_n dy·ŝ
        return (s, tape.Record(nameof(AddRmsNorm), y, x, branch, w, s, r, static (y, x, branch, w, s, r) =>
            y.Tape.Backend.RmsNormBackward(
                y.GradValues, s.TakeGrad(), s.Values, w.Data, r, r.Length, x.Shape.Last, x.GradTarget(), branch.GradTarget(),
                w.GradTarget())));
    }

    /// <summary>y = (x − mean)·r·w + b with r = 1/√(var + eps), over the last
    /// dimension (Ba et al. 2016). x (..., C), w (C), b (C) or null.</summary>
    public static Tensor LayerNorm(this Tensor x, Tensor w, Tensor? b, float eps = 1e-5f)
    {
        int C = x.Shape.Last, N = x.Count / C;                   // x (N, C), w (C), b (C)
        Check.Shape(nameof(LayerNorm), w, C);
        if (b is not null)
            Check.Shape(nameof(LayerNorm), b, C);

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape, x.Type);                    // (N, C)
        Floats mean = tape.Saved(N), r = tape.Saved(N);          // (N)
        tape.Backend.LayerNormForward(x.Values, default, w.Data, b?.Data ?? default, N, C, eps, default, y.Values, mean, r);

        // with x̂ = (x − mean)·r:  dx = r·(dy·w − mean(dy·w) − x̂·mean(dy·w·x̂)),   dw = Σ_n dy·x̂,   db = Σ_n dy
        return tape.Record(nameof(LayerNorm), y, x, w, b, mean, r, static (y, x, w, b, mean, r) => y.Tape.Backend.LayerNormBackward(
            y.GradValues, default, x.Values, w.Data, mean, r, r.Length, x.Shape.Last, x.GradTarget(), Target.None, w.GradTarget(),
            b?.GradTarget() ?? Target.None));
    }

    /// <summary>Sum = x + branch and Y = LayerNorm(Sum) in one pass. x, branch,
    /// results (..., C), w (C), b (C) or null. Uses branch up.</summary>
    public static (Tensor Sum, Tensor Y) AddLayerNorm(this Tensor x, Tensor branch, Tensor w, Tensor? b, float eps = 1e-5f)
    {
        int C = x.Shape.Last, N = x.Count / C;                   // x, branch (N, C), w (C), b (C)
        Check.Shape(nameof(AddLayerNorm), branch, x.Shape);
        Check.Shape(nameof(AddLayerNorm), w, C);
        if (b is not null)
            Check.Shape(nameof(AddLayerNorm), b, C);

        Tape tape = x.Tape;
        Values branchValues = branch.Values;
        Tensor s = ResidualSum(x, branch), y = tape.New(x.Shape, x.Type); // (N, C)
        Floats mean = tape.Saved(N), r = tape.Saved(N);          // (N)
        tape.Backend.LayerNormForward(x.Values, branchValues, w.Data, b?.Data ?? default, N, C, eps, s.Values, y.Values, mean, r);

        // with ŝ = (s − mean)·r:  dx = dbranch = ds + r·(dy·w − mean(dy·w) − ŝ·mean(dy·w·ŝ)),   dw = Σ_n dy·ŝ,   db = Σ_n dy
        return (s, tape.Record(nameof(AddLayerNorm), y, x, branch, w, b, s, mean, r, static (y, x, branch, w, b, s, mean, r) =>
            y.Tape.Backend.LayerNormBackward(
                y.GradValues, s.TakeGrad(), s.Values, w.Data, mean, r, r.Length, x.Shape.Last, x.GradTarget(), branch.GradTarget(),
                w.GradTarget(), b?.GradTarget() ?? Target.None)));
    }

    /// <summary>
    /// The sum inside a norm of a sum, a node of its own on the tape, before the norm's. The norm's backward takes the gradient that others
    /// gave the sum and passes it on together with its own, in one pass; only where nobody wanted the norm, the sum's own backward does.
    /// </summary>
    private static Tensor ResidualSum(Tensor x, Tensor branch)
    {
        // dx = ds,   dbranch = ds
        return x.Tape.Record(nameof(Add), x.Tape.NewOver(branch), x, branch, static (s, x, branch) =>
        {
            s.Tape.Backend.Affine(s.GradValues, 1f, 0f, s.Count, x.GradTarget());
            s.Tape.Backend.Affine(s.GradValues, 1f, 0f, s.Count, branch.GradTarget());
        });
    }
}
