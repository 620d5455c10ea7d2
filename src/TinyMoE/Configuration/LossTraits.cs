namespace TinyMoE.Configuration;

/// <summary>What can be said of a balance loss without computing it.</summary>
/// <param name="Title">What people call it.</param>
/// <param name="Name">Its name in metrics.</param>
/// <param name="Key">The configuration key of its weight.</param>
/// <param name="Balanced">Its value for a balanced router; empty where it has no such meaning.</param>
/// <param name="Formula">What it is, in a line.</param>
/// <param name="Usual">The weight that its authors use.</param>
/// <param name="Source">The paper.</param>
internal sealed record LossTraits(string Title, string Name, string Key, string Balanced, string Formula, string Usual, string Source)
{
    /// <summary>All balance losses.</summary>
    public static IReadOnlyList<LossTraits> All { get; } =
    [
        new("Switch", "balance", "moe.balance_loss", "1", "E/K·Σ f·P over the batch, for any K", "0.01", "Fedus et al. 2021"),
        new("sequence", "sequence", "moe.sequence_loss", "1", "the same for each sequence, then their mean", "0.0001", "DeepSeek-V3 2024"),
        new("GShard", "gshard", "moe.gshard_loss", "1", "E·Σ f·P of first choices", "0.01", "Lepikhin et al. 2020"),
        new("z", "z", "moe.z_loss", "", "mean of (log Σ exp h)²", "0.001", "Zoph et al. 2022"),
        new("importance", "importance", "moe.importance_loss", "0", "CV² of the summed gates", "0.01", "Shazeer et al. 2017"),
        new("load", "load", "moe.load_loss", "0", "CV² of the smooth load: of trainable noise, or of `moe.logit_noise`", "0.01",
            "Shazeer et al. 2017, Riquelme et al. 2021"),
    ];
}
