using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Nn;

/// <summary>The training objective and its parts.</summary>
/// <param name="Total">Cross-entropy plus the weighted balance losses (1): what backward starts from.</param>
/// <param name="Parts">Unweighted losses by name: <c>cross_entropy</c>, then each balance loss averaged over the MoE layers.</param>
public sealed record Objective(Tensor Total, IReadOnlyList<(string Name, Tensor Value)> Parts)
{
    /// <summary>Cross-entropy of the logits with the targets (N, −1 counts in nothing), plus Σ weight·mean over MoE layers of each balance loss.</summary>
    public static Objective Of(DecoderOutput output, Ints targets)
    {
        output.Logits.Tape.Scope = "loss";
        Tensor total = output.Logits.CrossEntropy(targets);      // (1)
        List<(string, Tensor)> parts = [("cross_entropy", total)];
        foreach (IGrouping<string, BalanceLoss> losses in output.Routings.SelectMany(r => r.Routing.Losses).GroupBy(l => l.Name))
        {
            Tensor mean = losses.Select(l => l.Value).Aggregate((a, b) => a.Add(b)).Scale(1f / losses.Count());
            parts.Add((losses.Key, mean));
            total = total.Add(mean.Scale(losses.First().Weight));
        }

        return new Objective(total, parts);
    }
}
