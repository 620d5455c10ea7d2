using Spectre.Console;
using TinyMoE.Inspect;
using static System.FormattableString;

namespace TinyMoE.Cli.Output;

/// <summary>
/// Shows what is lost without each expert: a row per layer, and the experts that are missed most, with the domains that miss them.
/// </summary>
internal static class AblationTable
{
    private const int MostByName = 5, WidthOfAnExpert = 9, WidthOfLayer = 8;

    public static void Write(IAnsiConsole console, AblationReport report)
    {
        double whole = report.Whole.Mean;
        ExpertAblation[][] layers = [.. report.Experts.GroupBy(one => one.Layer).Select(layer => layer.ToArray())];
        int E = layers[0].Length;
        console.WriteLine($"change of the loss without each expert, in thousandths of a nat per token");
        if (WidthOfLayer + E * WidthOfAnExpert <= console.Profile.Width)
            WriteNumbers(console, layers, whole);
        else
            WriteBars(console, layers, whole);
        WriteMissed(console, report);
    }

    private static void WriteNumbers(IAnsiConsole console, ExpertAblation[][] layers, double whole)
    {
        Table table = new Table().Border(TableBorder.None).AddColumn(new TableColumn("layer").RightAligned());
        foreach (ExpertAblation one in layers[0])
            table.AddColumn(new TableColumn(Invariant($"e{one.Expert}")).RightAligned());
        foreach (ExpertAblation[] layer in layers)
            table.AddRow([Invariant($"{layer[0].Layer}"), .. layer.Select(one => Thousandths(one.Loss.Mean - whole))]);
        console.Write(table);
    }

    private static void WriteBars(IAnsiConsole console, ExpertAblation[][] layers, double whole)
    {
        double most = Math.Max(layers.Max(layer => layer.Max(one => one.Loss.Mean - whole)), double.Epsilon);
        Table table = new Table().Border(TableBorder.None).AddColumn(new TableColumn("layer").RightAligned())
            .AddColumn($"experts 0 to {layers[0].Length - 1} (█ {Thousandths(most)})");
        foreach (string heading in (string[])["least", "mean", "most"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (ExpertAblation[] layer in layers)
        {
            double[] changes = [.. layer.Select(one => one.Loss.Mean - whole)];
            string bars = string.Concat(changes.Select(change => " ▁▂▃▄▅▆▇█"[(int)Math.Round(8 * Math.Clamp(change / most, 0, 1))]));
            table.AddRow(
                Invariant($"{layer[0].Layer}"), bars, Thousandths(changes.Min()), Thousandths(changes.Average()),
                Thousandths(changes.Max()));
        }

        console.Write(table);
    }

    private static void WriteMissed(IAnsiConsole console, AblationReport report)
    {
        Table table = new Table().Border(TableBorder.None).AddColumn("most missed").AddColumn(new TableColumn("change").RightAligned())
            .AddColumn(new TableColumn("load").RightAligned());
        if (report.Domains is not null)
            table.AddColumn("by");
        foreach (ExpertAblation one in report.Experts.OrderByDescending(one => one.Loss.Mean).Take(MostByName))
        {
            List<string> cells =
            [
                Invariant($"{one.Layer}:{one.Expert}"), Thousandths(one.Loss.Mean - report.Whole.Mean), Invariant($"{100 * one.Load:F1}%"),
            ];
            if (report.Domains is { } domains)
            {
                int domain = Enumerable.Range(0, domains.Count).MaxBy(d => Change(one, d));
                cells.Add($"{Markup.Escape(domains[domain])} {Thousandths(Change(one, domain))}");
            }

            table.AddRow([.. cells]);
        }

        console.Write(table);

        double Change(ExpertAblation one, int domain) => one.Loss.ByDomain![domain] - report.Whole.ByDomain![domain];
    }

    /// <summary>"+123.4": a change in thousandths.</summary>
    private static string Thousandths(double change) => Invariant($"{1000 * change:+0.0;-0.0;0.0}");
}
