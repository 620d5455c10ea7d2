namespace TinyMoE.Examples.Specialisation;

/// <summary>What a class of the token explains of a layer's routing (<see cref="Specialisation.Explained"/>), of all uncertainty.</summary>
/// <param name="Token">The token itself, by its id.</param>
/// <param name="Predicted">The id that the model takes for the likeliest next.</param>
/// <param name="Kind">The kind of its characters: as few classes as domains.</param>
/// <param name="Domain">The domain of its text.</param>
/// <param name="DomainBeyond">The domain, where the token is known.</param>
/// <param name="TokenBeyond">The token, where the domain is known.</param>
internal sealed record Explanation(
    double Token, double Predicted, double Kind, double Domain, double DomainBeyond, double TokenBeyond);

/// <summary>Vocabulary specialisation (Muennighoff et al. 2024) by an id, and what it is for ids that are shuffled among tokens.</summary>
internal readonly record struct Vocabulary(double Value, double Chance);

/// <summary>How a layer routed at a step beside how it does in the end; see <see cref="Inspect.RouterSaturation"/>.</summary>
internal readonly record struct Saturation(int Step, double First, double All);

/// <summary>One expert.</summary>
/// <param name="Load">Its share of the layer's choices, times E: 1 for an even one.</param>
/// <param name="Cost">What the loss grows by without it, in thousandths of a nat per token.</param>
/// <param name="Contribution">Its share of tokens × mean gate × mean norm of what it computed.</param>
/// <param name="ByDomain">For each domain, the share of its tokens that chose it, over the uniform share K/E.</param>
/// <param name="IsMissedAtHome">Whether the domain that has it most is the one that loses most without it.</param>
/// <param name="LivesOn">The tokens that say most of what it has more often than the text.</param>
internal sealed record Expert(
    double Load, double Cost, double Contribution, double[] ByDomain, bool IsMissedAtHome, IReadOnlyList<string> LivesOn);

/// <summary>One layer of one run.</summary>
internal sealed record LayerFindings(
    int Layer, Explanation Explained, Vocabulary Input, Vocabulary Output, IReadOnlyList<Saturation> Saturation,
    IReadOnlyList<Expert> Experts)
{
    /// <summary>Domain specialisation in one number: the mean over experts and domains of |share/uniform − 1|.</summary>
    public double AwayFromUniform => Experts.Average(expert => expert.ByDomain.Average(ratio => Math.Abs(ratio - 1)));

    /// <summary>The same beside an expert's own load, so that an uneven load is no specialisation.</summary>
    public double AwayFromLoad =>
        Experts.Average(expert => expert.Load == 0 ? 0 : expert.ByDomain.Average(ratio => Math.Abs(ratio / expert.Load - 1)));

    /// <summary>Rank correlation of something of an expert with its cost, over the layer's experts.</summary>
    public double CostWith(Func<Expert, double> value) =>
        Statistics.RankCorrelation([.. Experts.Select(value)], [.. Experts.Select(expert => expert.Cost)]);
}

/// <summary>One run.</summary>
/// <param name="Losses">The validation loss over steps.</param>
/// <param name="TokensPerSecond">Median speed of training.</param>
/// <param name="Layers">The layers, from the first.</param>
internal sealed record RunFindings(
    IReadOnlyList<(int Step, double Loss)> Losses, double TokensPerSecond, IReadOnlyList<LayerFindings> Layers);

/// <summary>One kind of mixture, all its seeds.</summary>
internal sealed record Mixture(string Name, int Experts, int Active, int Hidden, IReadOnlyList<RunFindings> Runs)
{
    /// <summary>The number of layers.</summary>
    public int Layers => Runs[0].Layers.Count;

    /// <summary>As a title says it.</summary>
    public string Title => $"{Name}: {Experts} experts of {Hidden}, {Active} per token";

    /// <summary>A number of a layer, of each seed.</summary>
    public double[] Of(int layer, Func<LayerFindings, double> value) => [.. Runs.Select(run => value(run.Layers[layer]))];

    /// <summary>Its mean over the layers, of each seed.</summary>
    public double[] Of(Func<LayerFindings, double> value) => [.. Runs.Select(run => run.Layers.Average(value))];
}
