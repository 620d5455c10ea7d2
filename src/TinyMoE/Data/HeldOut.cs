namespace TinyMoE.Data;

/// <summary>
/// Chooses what is held out: the last share of every part of the text (a source, or all text of a label), so that no part is missing from
/// training or from validation. Ids to train on come first, ids held out behind them, both in the order of the text; of a text of one part
/// that is the text itself.
/// </summary>
internal static class HeldOut
{
    /// <summary>The stretches of all ids in the new order, and how many ids are to train on.</summary>
    public static (List<Stretch> Order, int Split) Choose(IReadOnlyList<Stretch> stretches, float share)
    {
        int[] toTrain = new int[1 + stretches.Max(stretch => stretch.Part)]; // ids of a part that are to train on and have not come yet
        foreach (Stretch stretch in stretches)
            toTrain[stretch.Part] += stretch.Length;
        for (int part = 0; part < toTrain.Length; part++)
            toTrain[part] = (int)(toTrain[part] * (1 - (decimal)share)); // decimal: 0.1f means 0.1

        List<Stretch> train = [], heldOut = [];
        int split = 0;
        foreach (Stretch stretch in stretches)
        {
            int trained = Math.Min(stretch.Length, toTrain[stretch.Part]);
            toTrain[stretch.Part] -= trained;
            split += trained;
            if (trained > 0)
                train.Add(stretch with { Length = trained });
            if (trained < stretch.Length)
                heldOut.Add(stretch with { Start = stretch.Start + trained, Length = stretch.Length - trained });
        }

        return ([.. train, .. heldOut], split);
    }
}
