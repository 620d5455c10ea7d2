using TinyMoE.Memory;

namespace TinyMoE.Configuration;

/// <summary>The order in which a full expert drops choices.</summary>
public enum DropOrder
{
    /// <summary>Later tokens first; all second choices before any first choice (Lepikhin et al. 2020).</summary>
    Position,

    /// <summary>Those with the smallest gates (V-MoE's batch priority, choice by choice).</summary>
    Probability,

    /// <summary>Those that come last in a random order, another at every step.</summary>
    Random,
}

/// <summary>The tokens among which an expert chooses (router expert-choice).</summary>
public enum ChoiceGroup
{
    /// <summary>Among the tokens of one sequence.</summary>
    Sequence,

    /// <summary>Among all tokens of the batch, as in the paper.</summary>
    Batch,

    /// <summary>Among the tokens that stand at the same position of their sequences: causal.</summary>
    Position,
}

/// <summary>How the table of the hash router is made.</summary>
public enum HashKind
{
    /// <summary>Each token id has experts drawn at random, once.</summary>
    Random,

    /// <summary>Frequent ids first, each to the experts with the least text so far: loads are equal on the training text.</summary>
    Balanced,
}

/// <summary>How the layers' balance losses become one.</summary>
public enum LayerLosses
{
    /// <summary>The mean over the MoE layers.</summary>
    Mean,

    /// <summary>The sum of the layers' losses.</summary>
    Sum,
}

/// <summary>Experts, router, balance losses. Keys <c>moe.*</c>.</summary>
public sealed record MoeConfig
{
    /// <summary>Experts per layer, E; 0: every layer is dense.</summary>
    public int Experts { get; init; } = 8;

    /// <summary>
    /// Experts per token, K. The routers switch and base always take 1, gshard 2, soft all; expert-choice takes this many on average.
    /// </summary>
    public int Active { get; init; } = 2;

    /// <summary>Hidden size of an expert, F; 0: four times the width.</summary>
    public int Hidden { get; init; }

    /// <summary>How tokens find experts; see the table of routers.</summary>
    public RouterKind Router { get; init; } = RouterKind.TopK;

    /// <summary>Biases of the experts, the shared ones too: as model.biases says, or true, or false.</summary>
    public BiasChoice ExpertBiases { get; init; }

    /// <summary>The router's logits have a learned bias (GPT-OSS), with every router that learns logits of a token.</summary>
    public bool RouterBias { get; init; }

    /// <summary>
    /// Routers top-k, task and hierarchical: true, gates are the softmax over the chosen logits; false, over all logits (their sum is
    /// below 1). Router deepseek: true, the chosen scores are divided by their sum; false, they are not.
    /// </summary>
    public bool Renormalize { get; init; } = true;

    /// <summary>
    /// Every how many layers one has experts, counted from the first that may (Qwen's decoder_sparse_step s: this s, and moe.first_dense
    /// s − 1).
    /// </summary>
    public int Every { get; init; } = 1;

    /// <summary>How many layers at the start are dense.</summary>
    public int FirstDense { get; init; }

    /// <summary>Layers that are dense besides those, counted from 0 (Qwen's mlp_only_layers).</summary>
    public LayerList DenseLayers { get; init; } = LayerList.None;

    /// <summary>
    /// Experts that every token passes besides those it is routed to, each of the hidden size of an expert (Dai et al. 2024).
    /// </summary>
    public int SharedExperts { get; init; }

    /// <summary>The shared experts' output is multiplied by a learned sigmoid gate of the token (Qwen2-MoE).</summary>
    public bool SharedGate { get; init; }

    /// <summary>Hidden size of all shared experts together; 0: moe.shared_experts times that of an expert.</summary>
    public int SharedHidden { get; init; }

    /// <summary>
    /// Groups of experts, equal and in order, of the routers top-k, hierarchical and deepseek; divides the experts.
    /// </summary>
    public int Groups { get; init; } = 1;

    /// <summary>Groups a token may have experts of; hierarchical takes the same number of experts of each.</summary>
    public int ActiveGroups { get; init; } = 1;

    /// <summary>
    /// In training an expert serves at most factor·N·K/E of N tokens, the rest are dropped and pass by the residual alone; 0: nothing is
    /// dropped.
    /// </summary>
    public float CapacityFactor { get; init; }

    /// <summary>The capacity factor outside training: what a token gets then depends on others; 0: nothing is dropped.</summary>
    public float EvalCapacityFactor { get; init; }

    /// <summary>Least capacity of an expert, in tokens.</summary>
    public int MinCapacity { get; init; } = 4;

    /// <summary>The choices that a full expert drops first.</summary>
    public DropOrder Drop { get; init; } = DropOrder.Position;

    /// <summary>
    /// In training, the router's copy of its input is multiplied by uniform numbers from 1 − jitter to 1 + jitter (Fedus et al. 2021:
    /// 0.01).
    /// </summary>
    public float Jitter { get; init; }

    /// <summary>In training, normal noise of standard deviation noise/E is added to the logits (V-MoE, Riquelme et al. 2021: 1).</summary>
    public float LogitNoise { get; init; }

    /// <summary>Least standard deviation of the trainable noise of noisy-top-k.</summary>
    public float NoiseEpsilon { get; init; } = 1e-2f;

    /// <summary>Dropout of the experts' hidden values, in training (Fedus et al. 2021, section 2.4).</summary>
    public float ExpertDropout { get; init; }

    /// <summary>
    /// Chance that a token must do without an expert in its choice, in training: its logit is masked (Csordás et al. 2023).
    /// </summary>
    public float GateDropout { get; init; }

    /// <summary>
    /// Router deepseek: step of each expert's correction towards an equal load, after every training step (Wang et al. 2024).
    /// </summary>
    public float BiasRate { get; init; } = 1e-3f;

    /// <summary>Routers top-k and deepseek: multiplies the gates (DeepSeek-V3: 2.5).</summary>
    public float RoutedScaling { get; init; } = 1f;

    /// <summary>Router hash: how its table is made.</summary>
    public HashKind Hash { get; init; } = HashKind.Random;

    /// <summary>Router task: number of labels; 0: as many as the text has.</summary>
    public int Tasks { get; init; }

    /// <summary>Router expert-choice: the tokens among which an expert chooses.</summary>
    public ChoiceGroup ChoiceGroup { get; init; } = ChoiceGroup.Sequence;

    /// <summary>Allows a router that looks at later tokens: its loss is not that of a language model, and it cannot write.</summary>
    public bool AllowNonCausal { get; init; }

    /// <summary>Weight of the Switch load-balancing loss, 1.0 when balanced (Fedus et al. 2021, eq. 4).</summary>
    public float BalanceLoss { get; init; }

    /// <summary>Weight of the same loss of each sequence by itself, their mean (DeepSeek-V3: 0.0001).</summary>
    public float SequenceLoss { get; init; }

    /// <summary>Weight of the GShard loss: first choices only, 1.0 when balanced (Lepikhin et al. 2020).</summary>
    public float GshardLoss { get; init; }

    /// <summary>Weight of the router z-loss (Zoph et al. 2022).</summary>
    public float ZLoss { get; init; }

    /// <summary>Weight of the importance loss, CV² of the summed gates (Shazeer et al. 2017, eq. 7).</summary>
    public float ImportanceLoss { get; init; }

    /// <summary>
    /// Weight of the load loss, CV² of the smooth load; needs noisy-top-k or moe.logit_noise (Shazeer et al. 2017, appendix A).
    /// </summary>
    public float LoadLoss { get; init; }

    /// <summary>How the layers' losses become one.</summary>
    public LayerLosses LayerLosses { get; init; } = LayerLosses.Mean;

    /// <summary>
    /// What experts compute in: bfloat16 rounds their weights and activations, sums and master weights stay float32, and so do shared
    /// experts (selective precision, Fedus et al. 2021, table 2).
    /// </summary>
    public ElementType ExpertPrecision { get; init; }

    /// <summary>What the router computes in; bfloat16 is there to be watched failing (Fedus et al. 2021, table 2).</summary>
    public ElementType RouterPrecision { get; init; }

    /// <summary>Whether layer <paramref name="layer"/> (from 0) has experts.</summary>
    public bool InLayer(int layer) =>
        Experts > 0 && layer >= FirstDense && (layer - FirstDense) % Every == 0 && !DenseLayers.Contains(layer);

    /// <summary>
    /// Whether evaluation and generation look at later tokens: then every loss says so, and text can only be written by computing the
    /// whole window for each token.
    /// </summary>
    internal bool LooksAhead => Experts > 0 && (RouterLooksAhead || CapacityLooksAhead);

    /// <summary>Whether the router looks at later tokens even in evaluation.</summary>
    internal bool RouterLooksAhead => RouterTraits.Of(Router).Causality == Causality.NonCausal && ChoiceGroup != ChoiceGroup.Position;

    /// <summary>Whether what an expert drops in evaluation depends on later tokens.</summary>
    internal bool CapacityLooksAhead => RouterTraits.Of(Router).Drops && EvalCapacityFactor > 0;

    /// <summary>Whether the router must know the label of every token.</summary>
    internal bool RoutesByLabel => Experts > 0 && RouterTraits.Of(Router).RoutesByLabel;

    /// <summary>Hidden size of an expert with the default resolved.</summary>
    internal int HiddenOrDefault(int width) => Hidden == 0 ? 4 * width : Hidden;

    /// <summary>Hidden size of all shared experts together with the default resolved; 0 where there are none.</summary>
    internal long SharedHiddenOrDefault(int width) =>
        SharedExperts == 0 || SharedHidden > 0 ? SharedHidden : (long)SharedExperts * HiddenOrDefault(width);

    /// <summary>
    /// Whether all gates are the same number, so that the text teaches the router nothing: one expert per token, divided by itself.
    /// </summary>
    internal bool GatesAreConstant => Experts > 1 && Active == 1 && Renormalize && Router is RouterKind.TopK or RouterKind.DeepSeek;

    /// <summary>Experts per token, where the router may have its own number.</summary>
    internal int ActiveOfRouter => RouterTraits.Of(Router).Active is { } own ? Math.Min(own, Experts) : Active;

    /// <summary>Most tokens of <paramref name="tokens"/> that an expert serves; all of them where nothing is dropped.</summary>
    internal int CapacityOf(int tokens, bool training)
    {
        float factor = training ? CapacityFactor : EvalCapacityFactor;
        return factor == 0 ? tokens : Math.Min(tokens, Math.Max(MinCapacity, (int)(factor * tokens * ActiveOfRouter / Experts)));
    }
}
