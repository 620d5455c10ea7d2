namespace TinyMoE.Web.View.Reports;

/// <summary>What a report shows, and where it lies.</summary>
/// <param name="Runs">The folders of runs, one or more.</param>
/// <param name="Out">The file, of HTML.</param>
public sealed record ReportOptions(IReadOnlyList<string> Runs, string Out)
{
    /// <summary>What it is called; null: as the runs are.</summary>
    public string? Title { get; init; }
}
