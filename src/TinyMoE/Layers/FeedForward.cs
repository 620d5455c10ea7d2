using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// A feed-forward network, down·(silu(gate·x)·(up·x)), the same with clamps as GPT-OSS has it, down·gelu(up·x) or down·relu(up·x): one
/// for all rows, or a stack of experts, each on its own rows. gate, up (F, C), down (C, F); of E experts gate, up (E, F, C), down
/// (E, C, F). Matrices of experts may compute in bfloat16; biases are float32.
/// </summary>
public sealed class FeedForward
{
    private readonly FeedForwardKind kind;
    private readonly float limit, alpha;                         // of clamped SwiGLU
    private readonly bool rounds;
    private readonly Linear up;
    private readonly Linear down;
    private readonly Linear? gate;

    /// <summary>
    /// Adds <c>name.gate</c> (of SwiGLU), <c>name.up</c> and <c>name.down</c> to the store, of hidden size <paramref name="hidden"/>, with
    /// biases where <paramref name="biases"/> says so.
    /// </summary>
    internal FeedForward(
        ParameterStore store, string name, ModelPart part, ModelConfig config, int hidden, BiasChoice biases, int experts = 0,
        ElementType? precision = null)
    {
        (kind, limit, alpha) = (config.FeedForward, config.SwigluLimit, config.SwigluAlpha);
        rounds = experts > 0 && precision == ElementType.Bfloat16;
        bool isGated = config.IsGated, hasBiases = config.HasBias(biases);
        WeightInit init = new(config);
        int C = config.Width;

        // First values are drawn by the order of adding: what x meets first, what comes back, then the other half of a gated network.
        Linear first = Projection(isGated ? "gate" : "up", C, hidden, init.Matrix(C));
        down = Projection("down", hidden, C, init.Residual(hidden));
        (gate, up) = isGated ? (first, Projection("up", C, hidden, init.Matrix(C))) : (null, first);

        Linear Projection(string projection, int inputs, int outputs, Initializer initializer) =>
            new(store, $"{name}.{projection}", part, inputs, outputs, initializer, hasBiases, experts, precision);
    }

    /// <summary>
    /// x, result (..., C). Experts: x (N, C) in their order, offsets (E+1) says whose rows are whose. <paramref name="dropout"/> is of
    /// the hidden values (..., F).
    /// </summary>
    public Tensor Forward(Tensor x, Ints offsets = default, in Dropout dropout = default)
    {
        Tensor hidden = gate is null ? up.Forward(x, Activation, offsets) // (..., F)
            : kind == FeedForwardKind.ClampedSwiGlu ? Clamped(gate.Forward(x, offsets), up.Forward(x, offsets))
            : up.Forward(x, gate: gate.Forward(x, offsets), offsets);
        return down.Forward(hidden.Dropout(dropout), offsets);
    }

    /// <summary>gateOfX, upOfX, result (..., F).</summary>
    private Tensor Clamped(Tensor gateOfX, Tensor upOfX)
    {
        Tensor hidden = gateOfX.ClampedSwiGlu(upOfX, limit, alpha);
        return rounds ? hidden.RoundToBfloat16() : hidden; // which in 16 bits of memory is itself
    }

    /// <summary>The function between the two projections of a network without a gate.</summary>
    private Unary Activation => kind switch
    {
        FeedForwardKind.Gelu => Unary.Gelu,
        FeedForwardKind.Relu => Unary.Relu,
        _ => throw new InvalidOperationException($"No activation of a feed-forward {kind}."),
    };
}
