using TinyMoE.App;
using TinyMoE.Web.View.Runs;

namespace TinyMoE.Web.View.Reports;

/// <summary>A run of a report.</summary>
/// <param name="Run">What it measured.</param>
/// <param name="Model">What its model is made of; null: no checkpoint can be read.</param>
/// <param name="Problem">Why; null: it can.</param>
internal sealed record ReportedRun(WatchedRun Run, ModelInfo? Model, string? Problem)
{
    /// <summary>What is lost without each expert; null: not asked for, or it could not be measured.</summary>
    public AblationResult? Ablation { get; init; }

    /// <summary>Why it could not; null: it could, or was not asked for.</summary>
    public string? NoAblation { get; init; }
}

/// <summary>What a report says beside what the components read themselves.</summary>
/// <param name="Title">What it is called.</param>
/// <param name="Style">Its style sheet.</param>
/// <param name="MadeAt">When it was made.</param>
/// <param name="Runs">Its runs.</param>
internal sealed record ReportContent(string Title, string Style, DateTime MadeAt, IReadOnlyList<ReportedRun> Runs)
{
    /// <summary>A date as a report writes it: 2026-11-28 15:08 UTC.</summary>
    public static string Date(DateTime at) => at.ToString("yyyy-MM-dd HH:mm", System.Globalization.CultureInfo.InvariantCulture) + " UTC";
}
