using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>
/// The value or the output projection of SwitchHead attention (Csordás et al. 2023), a mixture of experts in every head. Head h has E
/// experts W and scores s = x·Sᵀ of the layer's input x; it takes the K largest and weighs them by σ(s), the sigmoid as it is: values
/// v[h] = Σ σ(s)·(W·x + b), outputs y = Σ over all heads of Σ σ(s)·(W·y[h] + b), biases b where configured. Sigmoid gates do not compete,
/// hence no balance loss. Gate dropout (their expert dropout) hides experts from the choice in training and leaves the gates alone
/// (Csordás, Irie and Schmidhuber 2023).
/// </summary>
/// <remarks>
/// Expert e of head h is expert h·E + e of an <see cref="Assignment"/>. The choices of a token, (N, H·K), are those of its heads, (N·H, K),
/// and both sort into the same rows: a row can come from a token and go to a head, or the other way round.
/// </remarks>
internal sealed class HeadExperts
{
    private const float Unreachable = 1e38f; // far below every score, even times the smallest step of a uniform number

    private readonly AttentionConfig config;
    private readonly int heads;
    private readonly RandomPurpose dropoutPurpose;
    private readonly int layer;
    private readonly Linear gate;
    private readonly Parameter weight;
    private readonly Parameter? bias;

    private HeadExperts(
        ParameterStore store, string name, ModelConfig model, AttentionConfig config, int heads, int inputs, int outputs, Initializer init,
        bool hasBias, RandomPurpose dropoutPurpose, int layer)
    {
        (this.config, this.heads, this.dropoutPurpose, this.layer) = (config, heads, dropoutPurpose, layer);
        int C = model.Width, E = heads * config.Experts;
        gate = new Linear(
            store, $"{name}_router", ModelPart.Attention, C, E, new WeightInit(model).Matrix(C), precision: ElementType.Float32);
        weight = store.Add($"{name}_experts.weight", (E, outputs, inputs), init, ModelPart.AttentionExperts);
        if (hasBias)
            bias = store.Add($"{name}_experts.bias", (E, outputs), Initializer.Zeros, ModelPart.AttentionExperts, decays: false);
    }

    /// <summary>
    /// The values' experts, in every key and value head: <c>name.value_router.weight</c> (H·E, C), <c>name.value_experts.weight</c> (H·E,
    /// D, C), with biases (H·E, D) where configured.
    /// </summary>
    public static HeadExperts OfValues(ParameterStore store, string name, ModelConfig model, AttentionConfig config, int layer) => new(
        store, $"{name}.value", model, config, config.KvHeadsOrAll, model.Width, config.HeadSizeOrDefault(model.Width),
        new WeightInit(model).Matrix(model.Width), config.Biases, RandomPurpose.ValueGateDropout, layer);

    /// <summary>
    /// The outputs' experts, in every query head: <c>name.output_router.weight</c> (H·E, C), <c>name.output_experts.weight</c> (H·E, C, D),
    /// with biases (H·E, C) where configured.
    /// </summary>
    public static HeadExperts OfOutputs(ParameterStore store, string name, ModelConfig model, AttentionConfig config, int layer) => new(
        store, $"{name}.output", model, config, config.Heads, config.HeadSizeOrDefault(model.Width), model.Width,
        new WeightInit(model).Residual(config.QueryWidth(model.Width)), config.HasOutputBias(model),
        RandomPurpose.OutputGateDropout, layer);

    /// <summary>The value of every head. x (N, C), result (N·H, D).</summary>
    public Tensor Values(Tensor x, Pass pass)
    {
        (Assignment byToken, Assignment byHead) = Choose(x, pass);
        Tensor rows = byToken.DispatchToProducts(x, weight.Shape[1]); // (N·H·K, C)
        return byHead.Combine(rows.GroupedLinear(weight, byToken.Offsets, bias)); // (N·H, D)
    }

    /// <summary>The sum of what all heads say. y (N·H, D) is what they attended to, x (N, C) the layer's input; result (N, C).</summary>
    public Tensor Outputs(Tensor y, Tensor x, Pass pass)
    {
        (Assignment byToken, Assignment byHead) = Choose(x, pass);
        Tensor rows = byHead.DispatchToProducts(y, weight.Shape[1]); // (N·H·K, D)
        return byToken.Combine(rows.GroupedLinear(weight, byHead.Offsets, bias)); // (N, C)
    }

    /// <summary>The experts of each head of each token x (N, C): the same rows, seen from the N tokens and from their N·H heads.</summary>
    internal (Assignment ByToken, Assignment ByHead) Choose(Tensor x, Pass pass)
    {
        int N = x.Shape[0], H = heads, E = H * config.Experts, K = config.Active;
        Tensor scores = gate.ForwardToFloat32(x);                // (N, H·E)
        Ints choices = Eligible(scores, pass).TopK(K, groups: H); // (N, H·K)
        Tensor gates = scores.SelectColumns(choices, H * K).Sigmoid(); // (N, H·K)
        pass.Observer?.OnHeadExperts(layer, ofOutputs: dropoutPurpose == RandomPurpose.OutputGateDropout, choices, gates);
        return (Assignment.FromChoices(choices, gates, E), Assignment.FromChoices(choices, gates.Reshape((N * H, K)), E));
    }

    /// <summary>The scores, with those that dropout hides far below all others: they are chosen only where fewer than K are left.</summary>
    private Tensor Eligible(Tensor scores, Pass pass)
    {
        if (!pass.Training || config.GateDropout == 0f)
            return scores;
        Tensor uniform = scores.Tape.Uniform(scores.Shape, pass.Key(dropoutPurpose, layer)); // (N, H·E)
        return scores.Add(uniform.Scale(-1f).Shift(config.GateDropout).Relu().Scale(-Unreachable));
    }
}
