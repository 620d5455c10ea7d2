using System.Globalization;
using Spectre.Console;
using TinyMoE.Inspect;

namespace TinyMoE.Cli.Output;

/// <summary>Shows how the tokens of each domain spread over the experts: one row per domain, one column of bars per layer.</summary>
internal static class DomainTable
{
    private const int WidthOfShare = 8;

    /// <summary>Writes the table; nothing where the text has one label. What does not fit in a line follows below.</summary>
    public static void Write(IAnsiConsole console, IReadOnlyList<RoutingReport> routing)
    {
        if (routing.Count == 0 || routing[0].Domains is not { } domains)
            return;
        int width = Math.Max(routing[0].Load.Length, "layer 99".Length) + 1;
        int room = console.Profile.Width - WidthOfShare - domains.Max(domain => domain.Label.Length);
        console.WriteLine("expert load by domain, share of its choices");
        foreach (RoutingReport[] layers in routing.Chunk(Math.Max(1, room / width)))
        {
            Table table = new Table().Border(TableBorder.None).AddColumn("domain").AddColumn(new TableColumn("tokens").RightAligned());
            foreach (RoutingReport layer in layers)
                table.AddColumn(new TableColumn(string.Create(CultureInfo.InvariantCulture, $"layer {layer.Layer}")).NoWrap());
            for (int domain = 0; domain < domains.Count; domain++)
            {
                string share = string.Create(CultureInfo.InvariantCulture, $"{100 * domains[domain].Share:F0}%");
                IEnumerable<string> bars = layers.Select(layer => RoutingTable.Bars(layer.Domains![domain].Load));
                table.AddRow([Markup.Escape(domains[domain].Label), share, .. bars]);
            }

            console.Write(table);
        }
    }
}
