using TinyMoE.Configuration;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// A choice limited to some groups of experts (DeepSeek-V2 and V3): moe.groups equal runs of experts, of which a token may have experts of
/// moe.active_groups, those with the best scores.
/// </summary>
internal static class ExpertGroups
{
    /// <summary>
    /// The scores of the groups that stay, all others far below any score. A group's own score is the sum of its <paramref name="counted"/>
    /// best. scores, result (N, E).
    /// </summary>
    public static Tensor Open(Tensor scores, MoeConfig config, int counted)
    {
        int N = scores.Shape[0], E = config.Experts, G = config.Groups, M = E / G;
        if (config.ActiveGroups == G)
            return scores;
        int top = Math.Min(counted, M);
        Tensor inGroups = scores.Reshape((N * G, M));
        Tensor groupScores = inGroups.SelectColumns(inGroups.TopK(top), top).SumColumns().Reshape((N, G));
        Tensor open = scores.Tape.OneHot(groupScores.TopK(config.ActiveGroups), config.ActiveGroups, G); // (N, G), 1 for a group that stays
        return inGroups.Mask(open.Reshape((N * G, 1))).Reshape((N, E));
    }
}
