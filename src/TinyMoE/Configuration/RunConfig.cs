namespace TinyMoE.Configuration;

/// <summary>Everything a run depends on, in four groups; the same names in JSON (<c>{"model": {"width": 128}}</c>), in <c>--set model.width=128</c> and in the README.</summary>
public sealed record RunConfig
{
    /// <summary>The decoder.</summary>
    public ModelConfig Model { get; init; } = new();

    /// <summary>Experts, router, balance losses.</summary>
    public MoeConfig Moe { get; init; } = new();

    /// <summary>Batches, schedule, optimiser, evaluation.</summary>
    public TrainConfig Train { get; init; } = new();

    /// <summary>Text and tokenizer.</summary>
    public DataConfig Data { get; init; } = new();
}
