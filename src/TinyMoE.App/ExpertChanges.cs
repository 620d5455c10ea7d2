using TinyMoE.Configuration;
using TinyMoE.Layers;

namespace TinyMoE.App;

/// <summary>Experts that a model is to do without, or to send every token of their layer to.</summary>
/// <param name="Ablated">Those to do without.</param>
/// <param name="Forced">Those that get every token, one per layer.</param>
public sealed record ExpertChanges(IReadOnlyList<ExpertId> Ablated, IReadOnlyList<ExpertId> Forced)
{
    /// <summary>"without 1:3 and 2:0, every token of layer 3 to expert 5".</summary>
    public override string ToString()
    {
        string[] forced = [.. Forced.Select(id => $"every token of layer {id.Layer} to expert {id.Expert}")];
        return string.Join(", ", Ablated.Count == 0 ? forced : [$"without {string.Join(" and ", Ablated)}", .. forced]);
    }

    /// <summary>What the routers of a model are to do.</summary>
    /// <exception cref="TinyMoEException">The model has no such expert, or none would be left in a layer.</exception>
    internal Interventions For(RunConfig config) => Interventions.Of(config, Ablated, Forced);
}
