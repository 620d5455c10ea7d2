using TinyMoE.Configuration;

namespace TinyMoE.Inspect;

/// <summary>
/// How many windows an evaluation reads at a time. To most models that is the same, so it is <c>train.batch</c>. With router expert-choice
/// over the batch or over a position, windows that are read together share the experts, so there the number must not depend on anything but
/// the model and the windows that are asked for:
/// <list type="bullet">
/// <item><c>moe.choice_group=batch</c>: one, so that the loss of a window is its own;</item>
/// <item>
/// <c>moe.choice_group=position</c>: one alone would get every expert, so as many as give every expert a whole number of tokens, at least
/// eight; what is left over is spread evenly over the groups.
/// </item>
/// </list>
/// </summary>
internal static class EvaluationGroups
{
    private const int Least = 8;

    /// <summary>The sizes of the groups, in order; they sum to <paramref name="windows"/>.</summary>
    public static IEnumerable<int> Of(RunConfig config, int windows)
    {
        MoeConfig moe = config.Moe;
        bool shared = moe is { Experts: > 0, Router: RouterKind.ExpertChoice };
        return shared && moe.ChoiceGroup == ChoiceGroup.Batch ? Chunks(windows, 1)
            : shared && moe.ChoiceGroup == ChoiceGroup.Position ? Even(windows, WholeTokens(moe))
            : Chunks(windows, config.Train.Batch);
    }

    // The fewest windows from Least on of which every expert takes windows·K/E tokens without a remainder.
    private static int WholeTokens(MoeConfig moe)
    {
        int size = Least;
        while ((long)size * moe.Active % moe.Experts != 0)
            size++;
        return size;
    }

    private static IEnumerable<int> Chunks(int windows, int size)
    {
        for (int first = 0; first < windows; first += size)
            yield return Math.Min(size, windows - first);
    }

    // Groups of at least that size, if there are as many windows, that differ by one at most.
    private static IEnumerable<int> Even(int windows, int least)
    {
        int groups = Math.Max(1, windows / least);
        for (int i = 0; i < groups; i++)
            yield return (int)((long)(i + 1) * windows / groups - (long)i * windows / groups);
    }
}
