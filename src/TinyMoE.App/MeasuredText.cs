namespace TinyMoE.App;

/// <summary>What of which text an evaluation measured.</summary>
/// <param name="Sources">The texts, as they were named: to the evaluation, or to the training.</param>
/// <param name="HeldOut">Whether it is the text that the run was trained on, of which only what was held out counts.</param>
/// <param name="Windows">How many windows were measured, from the start.</param>
/// <param name="Of">How many there are.</param>
public sealed record MeasuredText(IReadOnlyList<string> Sources, bool HeldOut, int Windows, int Of);
