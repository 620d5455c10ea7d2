using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>
/// Experts that every token passes (DeepSeekMoE, Dai et al. 2024): S of them, of hidden size F, are one network of hidden size S·F, or
/// of moe.shared_hidden.
/// With a gate, y = σ(x·w)·FFN(x) (Qwen2-MoE).
/// </summary>
internal sealed class SharedExperts
{
    private readonly FeedForward network;
    private readonly Linear? gate;

    public SharedExperts(ParameterStore store, string name, ModelConfig model, MoeConfig moe)
    {
        int C = model.Width, hidden = (int)moe.SharedHiddenOrDefault(C);
        network = new FeedForward(store, $"{name}.shared_experts", ModelPart.SharedExperts, model, hidden, moe.ExpertBiases);
        if (moe.SharedGate)
            gate = new Linear(store, $"{name}.shared_gate", ModelPart.SharedExperts, C, 1, new WeightInit(model).Matrix(C),
                precision: ElementType.Float32);
    }

    /// <summary>x, result (N, C).</summary>
    public Tensor Forward(Tensor x)
    {
        Tensor y = network.Forward(x);
        return gate is null ? y : y.Multiply(gate.ForwardToFloat32(x).Sigmoid());
    }
}
