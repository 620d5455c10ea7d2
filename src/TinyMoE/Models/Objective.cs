using TinyMoE.Configuration;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Models;

/// <summary>The training objective and its parts.</summary>
/// <param name="Total">Cross-entropy plus the weighted balance losses (1): what backward starts from.</param>
/// <param name="Parts">Unweighted losses by name: <c>cross_entropy</c>, then each balance loss over the MoE layers.</param>
public sealed record Objective(Tensor Total, IReadOnlyList<(string Name, Tensor Value)> Parts)
{
    /// <summary>The name of the part that every objective of this kind has.</summary>
    public const string CrossEntropy = "cross_entropy";

    /// <summary>
    /// Cross-entropy of the logits with the targets (N, −1 counts in nothing), plus Σ weight·mean (or sum) over MoE layers of each balance
    /// loss.
    /// </summary>
    public static Objective Of(DecoderOutput output, Ints targets, LayerLosses layers = LayerLosses.Mean)
    {
        output.Logits.Tape.Scope = "loss";
        List<(string Name, Tensor Value)> parts = [(CrossEntropy, output.Logits.CrossEntropy(targets))]; // (1) each
        IReadOnlyList<BalanceLoss> kinds = output.Routings.Count == 0 ? [] : output.Routings[0].Routing.Losses; // every layer has the same
        for (int kind = 0; kind < kinds.Count; kind++)
        {
            Tensor[] values = [.. output.Routings.Select(layer => layer.Routing.Losses[kind].Value)];
            parts.Add((kinds[kind].Name, values.SumNumbers(layers == LayerLosses.Sum ? 1f : 1f / values.Length)));
        }

        Tensor[] losses = [.. parts.Select(part => part.Value)];
        Tensor total = losses.Length == 1 ? losses[0] : losses.SumNumbers([1f, .. kinds.Select(kind => kind.Weight)]);
        return new Objective(total, parts);
    }
}
