using Spectre.Console;
using TinyMoE.Inspect;
using static System.FormattableString;

namespace TinyMoE.Cli.Output;

/// <summary>Shows what interventions do to the loss: in a line, and of each domain in a row.</summary>
internal static class LossChangeTable
{
    public static void Write(IAnsiConsole console, LossChange change)
    {
        double more = change.After.Mean - change.Before.Mean;
        console.WriteLine(Invariant($"with all experts: loss {change.Before.Mean:F4}; the change is {Signed(more)}"));
        if (change.Domains is not { } domains)
            return;
        Table table = new Table().Border(TableBorder.None).AddColumn("domain");
        foreach (string heading in (string[])["tokens", "all experts", "loss", "change"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        for (int domain = 0; domain < domains.Count; domain++)
        {
            double before = change.Before.ByDomain![domain], after = change.After.ByDomain![domain];
            table.AddRow(
                Markup.Escape(domains[domain]), Invariant($"{100 * change.Shares![domain]:F0}%"), Invariant($"{before:F4}"),
                Invariant($"{after:F4}"), Signed(after - before));
        }

        console.Write(table);
    }

    /// <summary>"+0.1234", "-0.0012".</summary>
    public static string Signed(double change) => Invariant($"{change:+0.0000;-0.0000;0.0000}");
}
