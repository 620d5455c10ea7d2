using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/gates.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void NoisyLogitsForward(Floats clean, Floats spread, Floats noise, float eps, int n, Floats sigma, Floats noisy) =>
        Launch("noisy_logits_forward", Grid.Elements(n), clean, spread, noise, eps, n, sigma, noisy);

    /// <inheritdoc/>
    public override void NoisyLogitsBackward(
        Floats dnoisy, Floats dsigma, Floats spread, Floats noise, int n, Target dclean, Target dspread)
    {
        if (!dclean.IsNone || !dspread.IsNone)
            Launch("noisy_logits_backward", Grid.Elements(n), dnoisy, dsigma, spread, noise, n, dclean, dspread);
    }

    /// <inheritdoc/>
    public override void ShareForward(Floats x, float scale, float least, int N, int C, Floats y) =>
        Launch("share_forward", TeamGrid(N, C), x, scale, least, N, C, y);

    /// <inheritdoc/>
    public override void ShareBackward(Floats dy, Floats x, float scale, float least, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            Launch("share_backward", TeamGrid(N, C), dy, x, scale, least, N, C, dx);
    }
}
