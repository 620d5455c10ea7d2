using TinyMoE.Configuration;
using TinyMoE.Layers;
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
/// Expert e of head h is expert h·E + e of an <see cref="Assignment"/>. The choices of a token, (T, H·K), are those of its heads, (T·H, K),
/// and both sort into the same rows: a row can come from a token and go to a head, or the other way round.
/// </remarks>
internal sealed class HeadExperts
{
    private const float Hidden = 1e38f; // far below every score, even times the smallest step of a uniform number

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
        gate = new Linear(store, $"{name}_gate", C, E, new WeightInit(model).Matrix(C));
        weight = store.Add($"{name}_experts.{{expert}}.weight", (E, outputs, inputs), init);
        bias = hasBias ? store.Add($"{name}_experts.{{expert}}.bias", (E, outputs), Initializer.Zeros, decays: false) : null;
    }

    /// <summary>
    /// The values' experts, in every key and value head: <c>name.v_gate.weight</c> (H·E, C), <c>name.v_experts.{expert}.weight</c> (H·E,
    /// D, C), with biases (H·E, D) where configured.
    /// </summary>
    public static HeadExperts OfValues(ParameterStore store, string name, ModelConfig model, AttentionConfig config, int layer) => new(
        store, $"{name}.v", model, config, config.KvHeadsOrAll, model.Width, config.HeadSizeOrDefault(model.Width),
        new WeightInit(model).Matrix(model.Width), config.Biases, RandomPurpose.ValueGateDropout, layer);

    /// <summary>
    /// The outputs' experts, in every query head: <c>name.o_gate.weight</c> (H·E, C), <c>name.o_experts.{expert}.weight</c> (H·E, C, D),
    /// with biases (H·E, C) where configured.
    /// </summary>
    public static HeadExperts OfOutputs(ParameterStore store, string name, ModelConfig model, AttentionConfig config, int layer) => new(
        store, $"{name}.o", model, config, config.Heads, config.HeadSizeOrDefault(model.Width), model.Width,
        new WeightInit(model).Residual(config.QueryWidth(model.Width)), config.HasOutputBias(model),
        RandomPurpose.OutputGateDropout, layer);

    /// <summary>The value of every head. x (T, C), result (T·H, D).</summary>
    public Tensor Values(Tensor x, Pass pass)
    {
        (Assignment byToken, Assignment byHead) = Choose(x, pass);
        Tensor rows = byToken.Dispatch(x);                       // (T·H·K, C)
        return byHead.Combine(rows.GroupedLinear(weight, byToken.Offsets, bias)); // (T·H, D)
    }

    /// <summary>The sum of what all heads say. y (T·H, D) is what they attended to, x (T, C) the layer's input; result (T, C).</summary>
    public Tensor Outputs(Tensor y, Tensor x, Pass pass)
    {
        (Assignment byToken, Assignment byHead) = Choose(x, pass);
        Tensor rows = byHead.Dispatch(y);                        // (T·H·K, D)
        return byToken.Combine(rows.GroupedLinear(weight, byHead.Offsets, bias)); // (T, C)
    }

    /// <summary>The experts of each head of each token x (T, C): the same rows, seen from the T tokens and from their T·H heads.</summary>
    internal (Assignment ByToken, Assignment ByHead) Choose(Tensor x, Pass pass)
    {
        int T = x.Shape[0], H = heads, E = H * config.Experts, K = config.Active;
        Tensor scores = gate.Forward(x);                         // (T, H·E)
        Ints choices = Eligible(scores, pass).TopK(K, groups: H); // (T, H·K)
        Tensor gates = scores.SelectColumns(choices, H * K).Sigmoid(); // (T, H·K)
        return (Assignment.FromChoices(choices, gates, E), Assignment.FromChoices(choices, gates.Reshape((T * H, K)), E));
    }

    /// <summary>The scores, with those that dropout hides far below all others: they are chosen only where fewer than K are left.</summary>
    private Tensor Eligible(Tensor scores, Pass pass)
    {
        if (!pass.Training || config.GateDropout == 0f)
            return scores;
        Tensor uniform = scores.Tape.Uniform(scores.Shape, pass.Key(dropoutPurpose, layer)); // (T, H·E)
        return scores.Add(uniform.Scale(-1f).Shift(config.GateDropout).Relu().Scale(-Hidden));
    }
}
