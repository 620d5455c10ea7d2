using TinyMoE.Configuration;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>RMSNorm or LayerNorm over the last dimension, as the configuration says.</summary>
public sealed class Norm
{
    private readonly NormKind kind;
    private readonly float epsilon;
    private readonly Parameter weight;
    private readonly Parameter? bias;

    /// <summary>
    /// Adds <c>name.weight</c> (ones) and, for LayerNorm with biases, <c>name.bias</c>
    /// (zeros) to the store, for vectors of <paramref name="size"/>, or of the width.
    /// </summary>
    public Norm(ParameterStore store, string name, ModelConfig config, int? size = null)
    {
        (kind, epsilon) = (config.Norm, config.NormEpsilon);
        int C = size ?? config.Width;
        bool hasBias = kind == NormKind.Layer && config.Biases;
        weight = store.Add($"{name}.weight", C, Initializer.Ones, ModelPart.Norms);
        bias = hasBias ? store.Add($"{name}.bias", C, Initializer.Zeros, ModelPart.Norms) : null;
    }

    /// <summary>Applies it. x (..., C).</summary>
    public Tensor Forward(Tensor x) => kind == NormKind.Rms ? x.RmsNorm(weight, epsilon) : x.LayerNorm(weight, bias, epsilon);

    /// <summary>Sum = x + branch and Y, the norm of it; without a branch Sum is x. x, branch (..., C).</summary>
    public (Tensor Sum, Tensor Y) Forward(Tensor x, Tensor? branch)
    {
        if (branch is null)
            return (x, Forward(x));
        return kind == NormKind.Rms ? x.AddRmsNorm(branch, weight, epsilon) : x.AddLayerNorm(branch, weight, bias, epsilon);
    }
}
