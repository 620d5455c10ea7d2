using TinyMoE.Configuration;

namespace TinyMoE.Layers;

/// <summary>The initial distributions that a configuration asks for.</summary>
internal sealed class WeightInit(ModelConfig config)
{
    private const float Gpt2Deviation = 0.02f;

    /// <summary>A matrix with <paramref name="inputs"/> inputs.</summary>
    public Initializer Matrix(int inputs) => config.Init switch
    {
        InitKind.Normal => Initializer.Normal(Gpt2Deviation),
        InitKind.Switch => Initializer.TruncatedNormal(MathF.Sqrt(config.InitScale / inputs)),
        InitKind.Kaiming => Initializer.Normal(MathF.Sqrt(2f / inputs)),
        _ => throw new InvalidOperationException($"No initialisation {config.Init}."),
    };

    /// <summary>A matrix that writes into the residual stream: GPT-2 scales it by the number of writers.</summary>
    public Initializer Residual(int inputs) => config.Init == InitKind.Normal
        ? Initializer.Normal(Gpt2Deviation / MathF.Sqrt(2f * config.Layers))
        : Matrix(inputs);

    /// <summary>A table of embeddings.</summary>
    public Initializer Embedding() => config.Init switch
    {
        // A tied table is the head as well, and a head of unit weights would begin with huge logits.
        InitKind.Kaiming => Initializer.Normal(config.TieEmbeddings ? Gpt2Deviation : 1f),
        InitKind.Switch => Initializer.TruncatedNormal(MathF.Sqrt(config.InitScale / config.Width)),
        _ => Initializer.Normal(Gpt2Deviation),
    };
}
