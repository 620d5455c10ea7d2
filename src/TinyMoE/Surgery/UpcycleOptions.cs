using TinyMoE.Configuration;

namespace TinyMoE.Surgery;

/// <summary>What experts begin as, of a dense feed-forward.</summary>
public enum UpcycleMethod
{
    /// <summary>Each is a copy (Komatsuzaki et al. 2022).</summary>
    Copy,

    /// <summary>Each is a copy of which a share of the hidden neurons is drawn anew (Drop-Upcycling, Nakamura et al. 2025).</summary>
    Drop,

    /// <summary>Copies cut into shards that are chosen together at first (virtual groups, He et al. 2024).</summary>
    Granular,

    /// <summary>The neurons are dealt out, each to one expert (LLaMA-MoE, Zhu et al. 2024).</summary>
    Partition,
}

/// <summary>Which neurons a partition puts together.</summary>
public enum PartitionKind
{
    /// <summary>Equal parts at random.</summary>
    Random,

    /// <summary>Equal clusters of neurons whose weights to the input are near each other (balanced k-means).</summary>
    Clusters,
}

/// <summary>How a mixture is made of a dense model.</summary>
public sealed record UpcycleOptions
{
    /// <summary>What the experts begin as.</summary>
    public UpcycleMethod Method { get; init; }

    /// <summary>Method drop: the share of an expert's hidden neurons that is drawn anew, 0 to 1 (paper: 0.5).</summary>
    public float DropRatio { get; init; } = 0.5f;

    /// <summary>Method partition: which neurons come together.</summary>
    public PartitionKind Partition { get; init; }

    /// <summary>
    /// Whether a part of the neurons becomes a shared expert and the experts are made of the others: half of them, or what moe.hidden, or
    /// moe.shared_hidden, leaves.
    /// </summary>
    public bool Shared { get; init; }

    /// <summary>The layers that get experts, from 0; null: those that moe.every, moe.first_dense and moe.dense_layers leave.</summary>
    public LayerList? Layers { get; init; }

    /// <summary>Standard deviation of normal noise on the experts' matrices, which makes copies differ; 0: none.</summary>
    public float Noise { get; init; }

    /// <summary>What the experts' down projections are multiplied by; null: as the method has it (<see cref="UpcyclePlan"/>).</summary>
    public float? Scale { get; init; }

    /// <summary>Of what is drawn: routers, neurons, noise, parts.</summary>
    public ulong Seed { get; init; } = 1;
}
