using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// y = x·Wᵀ (+ b): one matrix for all rows, W (outputs, inputs), b (outputs), or a stack of them, one per expert, each on its own rows, W
/// (E, outputs, inputs), b (E, outputs). A stack is told with every call which rows are whose: offsets (E+1), expert e has rows
/// offsets[e] to before offsets[e+1] of x (N, inputs).
/// </summary>
public sealed class Linear
{
    private readonly Parameter weight;
    private readonly Parameter? bias;

    /// <summary>
    /// Adds <c>name.weight</c> and, where asked for, <c>name.bias</c> (zeros, not decaying) to the store; with <paramref name="experts"/>
    /// a stack of so many. <paramref name="precision"/> is what products read of W, as the store says unless given.
    /// </summary>
    public Linear(
        ParameterStore store, string name, ModelPart part, int inputs, int outputs, Initializer initializer, bool bias = false,
        int experts = 0, ElementType? precision = null)
    {
        bool stack = experts > 0;
        Shape shape = stack ? (experts, outputs, inputs) : (outputs, inputs);
        weight = store.Add($"{name}.weight", shape, initializer, part, precision: precision);
        this.bias = bias ? store.Add($"{name}.bias", stack ? (experts, outputs) : outputs, Initializer.Zeros, part, decays: false) : null;
    }

    /// <summary>W.</summary>
    internal Parameter Weight => weight;

    /// <summary>b, or null.</summary>
    internal Parameter? Bias => bias;

    /// <summary>Applies it. x (..., inputs), result (..., outputs).</summary>
    public Tensor Forward(Tensor x, Ints offsets = default) =>
        offsets.IsNone ? x.Linear(weight, bias) : x.GroupedLinear(weight, offsets, bias);

    /// <summary>
    /// The map in bfloat16: x, W and the result are rounded, sums and the bias are float32; of one matrix only. x (N, inputs), result
    /// (N, outputs).
    /// </summary>
    internal Tensor ForwardInBfloat16(Tensor x)
    {
        Tensor y = x.ToFloat32().RoundToBfloat16().MatMul(x.Tape.RoundToBfloat16(weight), transposeB: true);
        return (bias is null ? y : y.Add(bias)).RoundToBfloat16();
    }

    /// <summary>
    /// The map with a result in float32, whatever x is kept in; of one matrix only. W of a router or a gate, which has no values in
    /// bfloat16, makes the whole map float32.
    /// </summary>
    internal Tensor ForwardToFloat32(Tensor x) => x.LinearToFloat32(weight, bias);

    /// <summary>f(x·Wᵀ + b).</summary>
    public Tensor Forward(Tensor x, Unary f, Ints offsets = default) =>
        offsets.IsNone ? x.LinearActivated(weight, f, bias) : x.GroupedLinearActivated(weight, offsets, f, bias);

    /// <summary>silu(gate)·(x·Wᵀ + b), gate (..., outputs).</summary>
    public Tensor Forward(Tensor x, Tensor gate, Ints offsets = default) =>
        offsets.IsNone ? x.LinearGated(gate, weight, bias) : x.GroupedLinearGated(gate, weight, offsets, bias);
}
