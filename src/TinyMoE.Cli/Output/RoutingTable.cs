using System.Globalization;
using Spectre.Console;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>How each layer's router spreads the work: a bar and a percentage an expert.</summary>
internal static class RoutingTable
{
    /// <summary>Beyond this many experts, or where the line is too short, there are bars only.</summary>
    private const int MostWithPercentages = 16;

    private const int WidthOfAnExpert = 6, WidthOfTheRest = 32;

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
        foreach (string heading in new[] { "entropy", "max over", "dead" })
            table.AddColumn(new TableColumn(heading).RightAligned());
        foreach (RoutingReport layer in routing)
            table.AddRow([.. Cells(layer, percentages)]);

        console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"expert load, share of the layer's choices (even: {1.0 / experts:P1}, half a bar)"));
        console.Write(table);
    }

    private static IEnumerable<string> Cells(RoutingReport layer, bool percentages)
    {
        CultureInfo invariant = CultureInfo.InvariantCulture;
        string[] bars = [.. layer.Load.Select(load => Bar(load * layer.Load.Length))];
        yield return layer.Layer.ToString(invariant);
        if (percentages)
        {
            for (int expert = 0; expert < bars.Length; expert++)
                yield return string.Create(invariant, $"{bars[expert]}{100 * layer.Load[expert],3:F0}%");
        }
        else
        {
            yield return string.Concat(bars);
        }
        yield return layer.Entropy.ToString("F3", invariant);
        yield return layer.MaxViolation.ToString("F2", invariant);
        yield return layer.Dead == 0 ? "0" : $"[red]{layer.Dead.ToString(invariant)}[/]";
    }

    /// <summary>A bar that is half high at 1, an expert's even share, and full from 2.</summary>
    private static string Bar(float timesEven) => float.IsFinite(timesEven) ? " ▁▂▃▄▅▆▇█".Substring((int)Math.Clamp(Math.Round(4 * timesEven), 0, 8), 1) : "?";
}
