using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>Linear maps of one input as one product: their outputs are columns of its result, those of the first map first.</summary>
internal sealed class JoinedLinear
{
    private readonly JoinedParameters weight;
    private readonly JoinedParameters? bias;

    private JoinedLinear(JoinedParameters weight, JoinedParameters? bias) => (this.weight, this.bias) = (weight, bias);

    /// <summary>
    /// The maps as one; null where their parameters do not lie side by side (<see cref="JoinedParameters.Of"/>), or only some have a bias.
    /// After they have their places.
    /// </summary>
    public static JoinedLinear? Of(params Linear[] maps)
    {
        if (JoinedParameters.Of([.. maps.Select(map => map.Weight)]) is not { } weight)
            return null;
        Parameter[] biases = [.. maps.Select(map => map.Bias).OfType<Parameter>()];
        if (biases.Length == 0)
            return new JoinedLinear(weight, null);
        return biases.Length == maps.Length && JoinedParameters.Of(biases) is { } bias ? new JoinedLinear(weight, bias) : null;
    }

    /// <summary>Applies them. x (..., inputs), result (..., all outputs).</summary>
    public Tensor Forward(Tensor x) => x.Linear(weight, bias);
}
