namespace TinyMoE.Data;

/// <summary>
/// Chooses what is held out: the last share of every part of the text (a source, or all text of a label), so that no part is missing from
/// training or from validation. Ids to train on come first, ids held out behind them, both in the order of the text; of a text of one part
/// that is the text itself. What is measured in ids, or in bytes before they are ids, is for the caller to say.
/// </summary>
internal static class HeldOut
{
    /// <summary>
    /// The stretches that are to train on and those that are held out, each in the order of the text. Where a stretch is cut, it is cut at
    /// <paramref name="boundary"/> of the place, which is not behind it.
    /// </summary>
    public static (List<Stretch> Train, List<Stretch> HeldOut) Choose(
        IReadOnlyList<Stretch> stretches, float share, Func<int, int>? boundary = null)
    {
        int[] toTrain = new int[1 + stretches.Max(stretch => stretch.Part)]; // ids of a part that are to train on and have not come yet
        foreach (Stretch stretch in stretches)
            toTrain[stretch.Part] += stretch.Length;
        for (int part = 0; part < toTrain.Length; part++)
            toTrain[part] = (int)(toTrain[part] * (1 - (decimal)share)); // decimal: 0.1f means 0.1

        List<Stretch> train = [], heldOut = [];
        foreach (Stretch stretch in stretches)
        {
            int trained = Math.Min(stretch.Length, toTrain[stretch.Part]);
            toTrain[stretch.Part] -= trained;
            if (boundary is not null && trained > 0 && trained < stretch.Length)
                trained = Math.Max(0, boundary(stretch.Start + trained) - stretch.Start);
            if (trained > 0)
                train.Add(stretch with { Length = trained });
            if (trained < stretch.Length)
                heldOut.Add(stretch with { Start = stretch.Start + trained, Length = stretch.Length - trained });
        }

        return (train, heldOut);
    }
}
