using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/optim.cu. The clip reads the norm on the device: the host does not wait for it.
public sealed unsafe partial class CudaBackend
{
    private const int MostSums = 1024;

    /// <inheritdoc/>
    public override void Norm(Floats x, int n, Floats y)
    {
        int sums = Math.Clamp(Ceiling.Divide(n, 16 * Grid.BlockSize), 1, MostSums);
        DeviceBuffer scratch = Pool.Rent((long)sums * sizeof(double));
        View<double> parts = scratch.As<double>(sums);
        Launch("sum_of_squares", new Grid(sums), x, n, parts);
        Launch("root_of_sum", new Grid(1), parts, sums, y);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default)
    {
        (float rate, float root, float keep) = step.Factors;
        Launch("adamw", Grid.Elements(n), g, norm, step.Clip, step.Beta1, step.Beta2, step.Epsilon, new StepFactors(rate, root, keep),
            step.FactorsPlace, n, w, m, v, copy);
    }
}
