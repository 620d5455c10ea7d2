using TinyMoE.Backends;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>y = x·Wᵀ (+ b). x (..., inputs), W (outputs, inputs), b (outputs), y (..., outputs).</summary>
public sealed class Linear
{
    private readonly Parameter weight;
    private readonly Parameter? bias;

    /// <summary>Adds <c>name.weight</c> and, where asked for, <c>name.bias</c> (zeros) to the store.</summary>
    public Linear(ParameterStore store, string name, int inputs, int outputs, Initializer initializer, bool bias = false)
    {
        weight = store.Add($"{name}.weight", (outputs, inputs), initializer);
        this.bias = bias ? store.Add($"{name}.bias", outputs, Initializer.Zeros) : null;
    }

    /// <summary>Applies it.</summary>
    public Tensor Forward(Tensor x) => x.Linear(weight, bias);

    /// <summary>It in bfloat16: x, W and the result are rounded, sums are float32; without the bias.</summary>
    internal Tensor ForwardInBfloat16(Tensor x) => x.RoundToBfloat16().MatMul(x.Tape.RoundToBfloat16(weight), transposeB: true).RoundToBfloat16();

    /// <summary>f of it.</summary>
    public Tensor Forward(Tensor x, Unary f) => x.LinearActivated(weight, f, bias);

    /// <summary>Its product with silu(gate), gate (..., outputs).</summary>
    public Tensor Forward(Tensor x, Tensor gate) => x.LinearGated(gate, weight, bias);
}
