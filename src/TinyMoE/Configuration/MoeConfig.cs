namespace TinyMoE.Configuration;

/// <summary>How tokens find experts.</summary>
public enum RouterKind
{
    /// <summary>The top-k logits, softmax over them or over all (Mixtral, OLMoE).</summary>
    TopK,

    /// <summary>Trainable noise on the logits before the top-k (Shazeer et al. 2017).</summary>
    NoisyTopK,
}

/// <summary>Experts, router, balance losses. Keys <c>moe.*</c>.</summary>
public sealed record MoeConfig
{
    /// <summary>Experts a layer, E; 0: every layer is dense.</summary>
    public int Experts { get; init; } = 8;

    /// <summary>Experts a token, K.</summary>
    public int Active { get; init; } = 2;

    /// <summary>Hidden size of an expert, F; 0: four times the width.</summary>
    public int Hidden { get; init; }

    /// <summary>The router.</summary>
    public RouterKind Router { get; init; } = RouterKind.TopK;

    /// <summary>Router top-k: true, gates are the softmax over the chosen logits; false, over all logits (their sum is below 1).</summary>
    public bool Renormalize { get; init; } = true;

    /// <summary>Every how many layers one has experts, counted from the first that may.</summary>
    public int Every { get; init; } = 1;

    /// <summary>How many layers at the start are dense.</summary>
    public int FirstDense { get; init; }

    /// <summary>Weight of the Switch load-balancing loss, 1.0 when balanced (Fedus et al. 2021, eq. 4).</summary>
    public float BalanceLoss { get; init; }

    /// <summary>Weight of the router z-loss (Zoph et al. 2022).</summary>
    public float ZLoss { get; init; }

    /// <summary>Weight of the importance loss, CV² of the summed gates (Shazeer et al. 2017, eq. 7).</summary>
    public float ImportanceLoss { get; init; }

    /// <summary>Weight of the load loss, CV² of the smooth load; noisy-top-k only (Shazeer et al. 2017, appendix A).</summary>
    public float LoadLoss { get; init; }

    /// <summary>Least standard deviation of the router's trainable noise.</summary>
    public float NoiseEpsilon { get; init; } = 1e-2f;

    /// <summary>What experts compute in: bfloat16 rounds their weights and activations, sums and master weights stay float32 (selective precision, Fedus et al. 2021, table 2).</summary>
    public Precision ExpertPrecision { get; init; }

    /// <summary>What the router computes in; bfloat16 is there to be watched failing (Fedus et al. 2021, table 2).</summary>
    public Precision RouterPrecision { get; init; }

    /// <summary>Whether layer <paramref name="layer"/> (from 0) has experts.</summary>
    public bool InLayer(int layer) => Experts > 0 && layer >= FirstDense && (layer - FirstDense) % Every == 0;

    /// <summary>Hidden size of an expert with the default resolved.</summary>
    internal int HiddenOrDefault(int width) => Hidden == 0 ? 4 * width : Hidden;
}
