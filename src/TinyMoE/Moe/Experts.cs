using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>E feed-forward networks of one shape, each on its own rows, computed together: w1, w3 (E, F, C), w2 (E, C, F), in float32 or bfloat16; biases in float32.</summary>
public sealed class Experts
{
    private readonly FeedForwardKind kind;
    private readonly Projection up;
    private readonly Projection down;
    private readonly Projection? gated;

    private readonly ElementType precision;

    internal Experts(ParameterStore store, string name, ModelConfig model, MoeConfig moe)
    {
        (kind, precision) = (model.FeedForward, moe.ExpertPrecision);
        WeightInit init = new(model);
        int E = moe.Experts, C = model.Width, F = moe.HiddenOrDefault(C);
        up = new Projection(store, $"{name}.experts.{{expert}}.w1", E, C, F, init.Matrix(C), model.Biases, precision);
        down = new Projection(store, $"{name}.experts.{{expert}}.w2", E, F, C, init.Residual(F), model.Biases, precision);
        gated = kind == FeedForwardKind.SwiGlu ? new Projection(store, $"{name}.experts.{{expert}}.w3", E, C, F, init.Matrix(C), model.Biases, precision) : null;
    }

    /// <summary>What the experts see of x, any shape: x, or x in bfloat16. Cheaper before tokens are dispatched than after.</summary>
    public Tensor Accept(Tensor x) => precision == ElementType.Bfloat16 ? x.RoundToBfloat16() : x;

    /// <summary>x, result (N, C) in expert order; offsets (E+1) says whose rows are whose; dropout is of the hidden values (N, F).</summary>
    public Tensor Forward(Tensor x, Ints offsets, in Dropout dropout = default)
    {
        Tensor hidden = gated is null ? up.Forward(x, offsets, FeedForward.ActivationOf(kind)) : gated.Forward(x, offsets, gate: up.Forward(x, offsets)); // (N, F)
        return down.Forward(hidden.Dropout(dropout), offsets);
    }

    private sealed class Projection(ParameterStore store, string name, int experts, int inputs, int outputs, Initializer init, bool bias, ElementType precision)
    {
        private readonly Parameter weight = store.Add($"{name}.weight", (experts, outputs, inputs), init, precision: precision);
        private readonly Parameter? bias = bias ? store.Add($"{name}.bias", (experts, outputs), Initializer.Zeros, decays: false) : null;

        public Tensor Forward(Tensor x, Ints offsets) => x.GroupedLinear(weight, offsets, bias);

        public Tensor Forward(Tensor x, Ints offsets, Unary f) => x.GroupedLinearActivated(weight, offsets, f, bias);

        public Tensor Forward(Tensor x, Ints offsets, Tensor gate) => x.GroupedLinearGated(gate, weight, offsets, bias);
    }
}
