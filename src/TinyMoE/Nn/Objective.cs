using TinyMoE.Configuration;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Nn;

/// <summary>The training objective and its parts.</summary>
/// <param name="Total">Cross-entropy plus the weighted balance losses (1): what backward starts from.</param>
/// <param name="Parts">Unweighted losses by name: <c>cross_entropy</c>, then each balance loss over the MoE layers.</param>
public sealed record Objective(Tensor Total, IReadOnlyList<(string Name, Tensor Value)> Parts)
{
    /// <summary>Cross-entropy of the logits with the targets (N, −1 counts in nothing), plus Σ weight·mean (or sum) over MoE layers of each balance loss.</summary>
    public static Objective Of(DecoderOutput output, Ints targets, LayerLosses layers = LayerLosses.Mean)
    {
        output.Logits.Tape.Scope = "loss";
        Tensor total = output.Logits.CrossEntropy(targets);      // (1)
        List<(string, Tensor)> parts = [("cross_entropy", total)];
        IReadOnlyList<BalanceLoss> kinds = output.Routings.Count == 0 ? [] : output.Routings[0].Routing.Losses; // every layer has the same
        for (int kind = 0; kind < kinds.Count; kind++)
        {
            Tensor sum = kinds[kind].Value;
            for (int i = 1; i < output.Routings.Count; i++)
                sum = sum.Add(output.Routings[i].Routing.Losses[kind].Value);
            Tensor value = layers == LayerLosses.Sum ? sum : sum.Scale(1f / output.Routings.Count);
            parts.Add((kinds[kind].Name, value));
            total = total.Add(value.Scale(kinds[kind].Weight));
        }

        return new Objective(total, parts);
    }
}
