using System.Globalization;
using TinyMoE.Inspect;
using TinyMoE.Models;

namespace TinyMoE.Examples;

/// <summary>How one run of a variant ended.</summary>
/// <param name="Loss">Loss on held-out text after the last step, in nats per token; NaN for a run that diverged.</param>
/// <param name="TokensPerSecond">Median speed of the steps.</param>
/// <param name="Dropped">Mean share of choices dropped in training.</param>
/// <param name="Routing">How the layers shared the work in the last evaluation.</param>
/// <param name="Problem">What ended it too early, or null.</param>
public sealed record RunOutcome(double Loss, double TokensPerSecond, double Dropped, IReadOnlyList<RoutingReport> Routing,
    string? Problem = null);

/// <summary>One variant, all its seeds.</summary>
/// <param name="Name">Its name in the study's configuration.</param>
/// <param name="Size">What its model costs.</param>
/// <param name="Runs">One per seed.</param>
public sealed record VariantOutcome(string Name, ModelSize Size, IReadOnlyList<RunOutcome> Runs)
{
    /// <summary>Whether it has experts.</summary>
    public bool IsSparse => Runs[0].Routing.Count > 0;

    /// <summary>Mean and standard deviation (n − 1) over the seeds, as "1.2345 ± 0.0012".</summary>
    public string Of(Func<RunOutcome, double> value, string format = "F4") => Statistics.Spread([.. Runs.Select(value)], format);

    /// <summary>The mean over the layers of a number of each, as <see cref="Of"/>; nothing for a dense model.</summary>
    public string OfLayers(Func<RoutingReport, double> value, string format = "F2") =>
        IsSparse ? Of(run => run.Routing.Average(value), format) : "";

    /// <summary>Mean number of experts that no token of the last evaluation chose, of all layers.</summary>
    public string Dead => IsSparse
        ? string.Create(
            CultureInfo.InvariantCulture,
            $"{Runs.Average(run => run.Routing.Sum(layer => layer.Dead)):0.#} of {Runs[0].Routing.Sum(layer => layer.Load.Length)}")
        : "";

    /// <summary>Median speed over the seeds.</summary>
    public string Speed =>
        Runs.Select(run => run.TokensPerSecond).Order().ElementAt(Runs.Count / 2).ToString("N0", CultureInfo.InvariantCulture);
}
