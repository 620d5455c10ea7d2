using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// Logits with learned noise (Shazeer et al. 2017): sigma = softplus(spread) + eps, noisy = clean
    /// + sigma·noise. clean, spread, results (..., E), noise alike, a constant of normal draws.
    /// </summary>
    public static (Tensor Noisy, Tensor Sigma) NoisyLogits(this Tensor clean, Tensor spread, Tensor noise, float eps)
    {
        int n = clean.Count;
        Check.Shape(nameof(NoisyLogits), spread, clean.Shape);
        Check.Shape(nameof(NoisyLogits), noise, clean.Shape);

        Tape tape = clean.Tape;
        Floats draws = noise.Data;

        // Two nodes: backward comes to that of the noisy logits first, which takes the
        // gradient of sigma along; this one is for a sigma whose logits nobody wanted.
        Tensor sigma = tape.New(clean.Shape);
        tape.Record(nameof(NoisyLogits), sigma, spread, draws, static (sigma, spread, draws) =>
            sigma.Tape.Backend.NoisyLogitsBackward(
                default, sigma.Grad, spread.Data, draws, sigma.Count, Target.None, spread.GradTarget()));
        Tensor noisy = tape.New(clean.Shape);
        tape.Backend.NoisyLogitsForward(clean.Data, spread.Data, draws, eps, n, sigma.Data, noisy.Data);

        // dclean = dnoisy,   dspread = (dsigma + dnoisy·noise)·sigmoid(spread)
        return (tape.Record(nameof(NoisyLogits), noisy, clean, spread, draws, sigma, static (noisy, clean, spread, draws, sigma) =>
            noisy.Tape.Backend.NoisyLogitsBackward(
                noisy.Grad, sigma.TakeGrad().Float32, spread.Data, draws, noisy.Count, clean.GradTarget(), spread.GradTarget())), sigma);
    }

    /// <summary>
    /// Each value's share of its row, times a scale: y = scale·x/Σ_c x; in a row whose sum is below <paramref name="least"/> all shares are
    /// equal. x, from 0 on, y (..., C).
    /// </summary>
    public static Tensor Share(this Tensor x, float least, float scale = 1f)
    {
        x = x.ToFloat32();
        int C = x.Shape.Last, N = x.Count / C;                   // x (N, C)

        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);                            // (N, C)
        tape.Backend.ShareForward(x.Data, scale, least, N, C, y.Data);

        // with S = Σ_c x:  dx = scale·(dy − Σ_c dy·x/S)/S, and 0 where S < least
        return tape.Record(nameof(Share), y, x, least, scale, static (y, x, least, scale) =>
            y.Tape.Backend.ShareBackward(y.Grad, x.Data, scale, least, x.Count / x.Shape.Last, x.Shape.Last, x.GradTarget()));
    }
}
