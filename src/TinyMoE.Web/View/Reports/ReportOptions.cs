using TinyMoE.App;

namespace TinyMoE.Web.View.Reports;

/// <summary>What a report shows, and where it lies.</summary>
/// <param name="Runs">The folders of runs, one or more.</param>
/// <param name="Out">The file, of HTML.</param>
public sealed record ReportOptions(IReadOnlyList<string> Runs, string Out)
{
    /// <summary>What it is called; null: as the runs are.</summary>
    public string? Title { get; init; }

    /// <summary>Windows of held-out text by which it is measured what is lost without each expert; null: it is not.</summary>
    public int? AblateWindows { get; init; }

    /// <summary>The device that measures.</summary>
    public DeviceChoice Device { get; init; } = new();
}
