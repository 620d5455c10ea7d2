using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/norm.cu.
public sealed unsafe partial class CudaBackend
{
    private const int RowsPerNormTeam = 2; // so that reading the weights is little beside reading the rows

    /// <inheritdoc/>
    protected override void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r) =>
        Launch("rms_norm_forward", TeamGrid(N, C, RowsPerNormTeam), x, branch, w, N, C, eps, s, y, r);

    /// <inheritdoc/>
    protected override void LayerNormForward(
        Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r) =>
        Launch("layer_norm_forward", TeamGrid(N, C, RowsPerNormTeam), x, branch, w, b, N, C, eps, s, y, mean, r);

    /// <inheritdoc/>
    public override void RmsNormForward(Values x, Values branch, Floats w, int N, int C, float eps, Values s, Values y, Floats r)
    {
        if (AreNarrow(x, branch, s, y))
            Launch("rms_norm_forward_bfloat16", TeamGrid(N, C, RowsPerNormTeam), Narrow(x), Narrow(branch), w, N, C, eps, Narrow(s),
                Narrow(y), r);
        else
            base.RmsNormForward(x, branch, w, N, C, eps, s, y, r);
    }

    /// <inheritdoc/>
    public override void LayerNormForward(
        Values x, Values branch, Floats w, Floats b, int N, int C, float eps, Values s, Values y, Floats mean, Floats r)
    {
        if (AreNarrow(x, branch, s, y))
            Launch("layer_norm_forward_bfloat16", TeamGrid(N, C, RowsPerNormTeam), Narrow(x), Narrow(branch), w, b, N, C, eps, Narrow(s),
                Narrow(y), mean, r);
        else
            base.LayerNormForward(x, branch, w, b, N, C, eps, s, y, mean, r);
    }
}
