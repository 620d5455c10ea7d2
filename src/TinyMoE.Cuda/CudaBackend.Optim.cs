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
        // m̂/(√v̂ + eps) = m·(1/c₁) / (√v·(1/√c₂) + eps) with cᵢ = 1 − βᵢᵗ
        double correction1 = 1 - Math.Pow(step.Beta1, step.Step), correction2 = 1 - Math.Pow(step.Beta2, step.Step);
        float rate = (float)(step.LearningRate / correction1), root = (float)(1 / Math.Sqrt(correction2)),
            keep = 1f - step.LearningRate * step.WeightDecay;
        Launch("adamw", Grid.Elements(n), g, norm, step.Clip, step.Beta1, step.Beta2, rate, root, step.Epsilon, keep, n, w, m, v, copy);
    }
}
