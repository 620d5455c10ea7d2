using TinyMoE.Configuration;

namespace TinyMoE.Surgery;

/// <summary>What the gates of a token sum to, by a router that knows nothing yet.</summary>
/// <param name="Value">The sum where all logits are equal.</param>
/// <param name="IsConstant">Whether it is that whatever the logits are.</param>
internal readonly record struct GateSum(double Value, bool IsConstant)
{
    /// <summary>The sum for a router, of those that a mixture can be upcycled to.</summary>
    public static GateSum Of(MoeConfig moe)
    {
        double share = (double)moe.ActiveOfRouter / moe.Experts;
        return moe.Router switch
        {
            RouterKind.TopK => moe.Renormalize ? new(moe.RoutedScaling, true) : new(share * moe.RoutedScaling, false),
            RouterKind.DeepSeek => moe.Renormalize ? new(moe.RoutedScaling, true) : new(moe.Active * 0.5 * moe.RoutedScaling, false),
            RouterKind.NoisyTopK or RouterKind.GShard or RouterKind.Soft or RouterKind.Random or RouterKind.Uniform => new(1, true),
            RouterKind.Hierarchical => Hierarchical(moe),
            RouterKind.Base => new(0.5, false),
            RouterKind.Sinkhorn => moe.Active == 1 ? new(0.5, false) : new(share, false),
            RouterKind.Switch or RouterKind.ExpertChoice => new(share, false),
            _ => throw new InvalidOperationException($"No sum of the gates of router {moe.Router} is known."),
        };
    }

    /// <summary>A level with one choice takes the probability over all of that level, and so do both without renormalising.</summary>
    private static GateSum Hierarchical(MoeConfig moe)
    {
        int inGroup = moe.Experts / moe.Groups, chosen = moe.Active / moe.ActiveGroups;
        bool isOuterWhole = moe.Renormalize && moe.ActiveGroups > 1, isInnerWhole = moe.Renormalize && chosen > 1;
        double outer = isOuterWhole ? 1 : (double)moe.ActiveGroups / moe.Groups, inner = isInnerWhole ? 1 : (double)chosen / inGroup;
        return new(outer * inner, (isOuterWhole || moe.Groups == 1) && (isInnerWhole || inGroup == 1));
    }
}
