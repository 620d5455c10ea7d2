using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>A dense feed-forward network: w2·(silu(w1·x)·(w3·x)), w2·gelu(w1·x) or w2·relu(w1·x).</summary>
public sealed class FeedForward
{
    private readonly FeedForwardKind kind;
    private readonly Linear up;
    private readonly Linear down;
    private readonly Linear? gated;

    internal FeedForward(ParameterStore store, string name, ModelConfig config)
    {
        kind = config.FeedForward;
        WeightInit init = new(config);
        int C = config.Width, hidden = config.HiddenOrDefault;
        up = new Linear(store, $"{name}.w1", C, hidden, init.Matrix(C), config.Biases);
        down = new Linear(store, $"{name}.w2", hidden, C, init.Residual(hidden), config.Biases);
        gated = kind == FeedForwardKind.SwiGlu ? new Linear(store, $"{name}.w3", C, hidden, init.Matrix(C), config.Biases) : null;
    }

    /// <summary>x, result (..., C).</summary>
    public Tensor Forward(Tensor x) => down.Forward(gated is null ? up.Forward(x, ActivationOf(kind)) : gated.Forward(x, gate: up.Forward(x)));

    /// <summary>The function between the two projections of a network without a gate.</summary>
    internal static Unary ActivationOf(FeedForwardKind kind) => kind switch
    {
        FeedForwardKind.Gelu => Unary.Gelu,
        FeedForwardKind.Relu => Unary.Relu,
        _ => throw new InvalidOperationException($"No activation of a feed-forward {kind}."),
    };
}
