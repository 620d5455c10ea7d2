using System.Globalization;
using Spectre.Console;
using TinyMoE.Inspect;

namespace TinyMoE.Cli.Output;

/// <summary>Shows how each layer's router spreads the work: one bar and one percentage per expert.</summary>
internal static class RoutingTable
{
    /// <summary>Beyond this many experts, or where the line is too short, there are bars only.</summary>
    private const int MostWithPercentages = 16;

    private const int WidthOfAnExpert = 6, WidthOfTheRest = 57;

    /// <summary>Writes the table; nothing for a dense model.</summary>
    public static void Write(IAnsiConsole console, IReadOnlyList<RoutingReport> routing)
    {
        if (routing.Count == 0)
            return;
        int experts = routing[0].Load.Length;
        bool percentages = experts <= MostWithPercentages && WidthOfTheRest + experts * WidthOfAnExpert <= console.Profile.Width;
        Table table = new Table().Border(TableBorder.None).AddColumn(new TableColumn("layer").RightAligned());
        if (percentages)
        {
            for (int expert = 0; expert < experts; expert++)
                table.AddColumn(new TableColumn(string.Create(CultureInfo.InvariantCulture, $"e{expert}")).RightAligned());
        }
        else
        {
            table.AddColumn(new TableColumn($"experts 0 to {experts - 1}"));
        }
        List<(string Heading, Func<RoutingReport, string> Cell)> measures =
        [
            ("entropy", layer => Number(layer.Entropy, "F3")),
            ("top gate", layer => Number(layer.TopGate, "F2")),
            ("max over", layer => Number(layer.MaxViolation, "F2")),
            ("dead", layer => layer.Dead == 0 ? "0" : $"[red]{Number(layer.Dead, "F0")}[/]"),
        ];
        if (routing.Any(layer => layer.Dropped > 0f))
            measures.Add(("dropped", layer => Number(100 * layer.Dropped, "F1") + "%"));
        if (routing.Any(layer => layer.Changed is not null))
            measures.Add(("changed", layer => layer.Changed is null ? "" : Number(100 * layer.Changed, "F0") + "%"));
        foreach ((string heading, _) in measures)
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (RoutingReport layer in routing)
            table.AddRow([.. Loads(layer, percentages), .. measures.Select(measure => measure.Cell(layer))]);

        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"expert load, share of the layer's choices (even: {1.0 / experts:P1}, half a bar)"));
        console.Write(table);
    }

    /// <summary>One bar per expert: half high at its even share, full from twice that.</summary>
    public static string Bars(float[] load) => string.Concat(load.Select(share => Bar(share * load.Length)));

    private static IEnumerable<string> Loads(RoutingReport layer, bool percentages)
    {
        yield return Number(layer.Layer, "F0");
        if (!percentages)
        {
            yield return Bars(layer.Load);
            yield break;
        }

        foreach (float share in layer.Load)
            yield return string.Create(CultureInfo.InvariantCulture, $"{Bar(share * layer.Load.Length)}{100 * share,3:F0}%");
    }

    private static string Number(float? value, string format) => value?.ToString(format, CultureInfo.InvariantCulture) ?? "-";

    private static char Bar(float timesEven) =>
        float.IsFinite(timesEven) ? " ▁▂▃▄▅▆▇█"[(int)Math.Clamp(Math.Round(4 * timesEven), 0, 8)] : '?';
}
