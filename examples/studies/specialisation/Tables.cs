using System.Globalization;

namespace TinyMoE.Examples.Specialisation;

/// <summary>The tables of the README, in Markdown: mean ± standard deviation over seeds.</summary>
internal static class Tables
{
    private static readonly double[] Times = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8]; // of the training

    /// <summary>Writes all.</summary>
    public static void Write(TextWriter output, IReadOnlyList<Mixture> mixtures)
    {
        Table(output, mixtures.Select(mixture => (mixture.Name, mixture)),
            ("mixture", row => row.Name),
            ("validation loss", row => Spread([.. row.Item2.Runs.Select(run => run.Losses[^1].Loss)], "F3")),
            ("tokens/s", row => row.Item2.Runs.Average(run => run.TokensPerSecond).ToString("N0", CultureInfo.InvariantCulture)),
            ("fullest expert, times an even one", row => Spread(row.Item2.Of(l => l.Experts.Max(e => e.Load)), "F2")),
            ("dead experts", row => row.Item2.Runs.Sum(run => run.Layers.Sum(l => l.Experts.Count(e => e.Load == 0)))
                .ToString(CultureInfo.InvariantCulture)));
        Table(output, Rows(mixtures),
            ("mixture", row => row.Name),
            ("layer", row => row.Layer),
            ("token", row => Percent(row.Of(l => l.Explained.Token))),
            ("predicted token", row => Percent(row.Of(l => l.Explained.Predicted))),
            ("kind of characters", row => Percent(row.Of(l => l.Explained.Kind))),
            ("domain", row => Percent(row.Of(l => l.Explained.Domain))),
            ("domain beyond token", row => Percent(row.Of(l => l.Explained.DomainBeyond))),
            ("token beyond domain", row => Percent(row.Of(l => l.Explained.TokenBeyond))));
        Table(output, Rows(mixtures),
            ("mixture", row => row.Name),
            ("layer", row => row.Layer),
            ("vocabulary, input", row => Percent(row.Of(l => l.Input.Value))),
            ("chance", row => Percent(row.Of(l => l.Input.Chance))),
            ("vocabulary, predicted", row => Percent(row.Of(l => l.Output.Value))),
            ("chance", row => Percent(row.Of(l => l.Output.Chance))),
            ("domain, away from uniform", row => Percent(row.Of(l => l.AwayFromUniform))),
            ("away from own load", row => Percent(row.Of(l => l.AwayFromLoad))));
        int[] steps = Steps(mixtures);
        Table(output, Rows(mixtures),
            [
                ("mixture", row => row.Name),
                ("layer", row => row.Layer),
                .. steps.Select(step => ($"step {step}", (Func<Row, string>)(row => Percent(row.Of(
                    layer => layer.Saturation.First(at => at.Step == step).All))))),
                .. steps.Take(1).Select(step => ($"first choice, step {step}", (Func<Row, string>)(row => Percent(row.Of(
                    layer => layer.Saturation.First(at => at.Step == step).First))))),
            ]);
        Table(output, Rows(mixtures),
            ("mixture", row => row.Name),
            ("layer", row => row.Layer),
            ("mean cost", row => Spread(row.Of(l => l.Experts.Average(e => e.Cost)), "F1")),
            ("dearest", row => Spread(row.Of(l => l.Experts.Max(e => e.Cost)), "F1")),
            ("cheapest", row => Spread(row.Of(l => l.Experts.Min(e => e.Cost)), "F1")),
            ("below 1", row => Percent(row.Of(l => l.Experts.Average(e => e.Cost < 1 ? 1.0 : 0)))),
            ("cost with load", row => Spread(row.Of(l => l.CostWith(e => e.Load)), "F2")),
            ("with contribution", row => Spread(row.Of(l => l.CostWith(e => e.Contribution)), "F2")),
            ("missed most at home", row => Percent(row.Of(l => l.Experts.Average(e => e.IsMissedAtHome ? 1.0 : 0)))));
        Table(output, mixtures.SelectMany(mixture => mixture.Runs[0].Layers.Select(layer => (mixture.Name, layer.Layer, Dearest(layer)))),
            ("mixture, first seed", row => row.Name),
            ("layer", row => row.Layer.ToString(CultureInfo.InvariantCulture)),
            ("the dearest expert's cost", row => row.Item3.Cost.ToString("F1", CultureInfo.InvariantCulture)),
            ("its load", row => row.Item3.Load.ToString("F2", CultureInfo.InvariantCulture)),
            ("lives on", row => string.Join(" ", row.Item3.LivesOn.Select(Code))));
    }

    /// <summary>A token in a cell of a table.</summary>
    private static string Code(string token)
    {
        string shown = token.Replace("|", "\\|", StringComparison.Ordinal);
        return shown.Contains('`', StringComparison.Ordinal) ? $"`` {shown} ``" : $"`{shown}`";
    }

    private static Expert Dearest(LayerFindings layer) => layer.Experts.MaxBy(expert => expert.Cost)!;

    /// <summary>Of the steps whose checkpoints stayed, those nearest to some times, the last one left out.</summary>
    private static int[] Steps(IReadOnlyList<Mixture> mixtures)
    {
        int last = mixtures[0].Runs[0].Losses[^1].Step;
        int[] kept = [.. mixtures[0].Runs[0].Layers[0].Saturation.Select(at => at.Step).Where(step => step < last)];
        return kept.Length == 0 ? [] : [.. Times.Select(time => kept.MinBy(step => Math.Abs(step - time * last))).Distinct()];
    }

    private static IEnumerable<Row> Rows(IReadOnlyList<Mixture> mixtures) => mixtures.SelectMany(mixture =>
        Enumerable.Range(0, mixture.Layers).Select(layer => new Row(
            mixture.Name, layer.ToString(CultureInfo.InvariantCulture), value => mixture.Of(layer, value)))
            .Append(new Row(mixture.Name, "mean", mixture.Of)));

    private static string Spread(double[] values, string format) => Statistics.Spread(values, format);

    private static string Percent(double[] shares) => Statistics.Spread([.. shares.Select(share => 100 * share)], "F1");

    private static void Table<T>(TextWriter output, IEnumerable<T> rows, params (string Heading, Func<T, string> Cell)[] columns)
    {
        output.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Heading))} |");
        output.WriteLine($"|---{string.Concat(columns.Skip(1).Select(_ => "|---:"))}|");
        foreach (T row in rows)
            output.WriteLine($"| {string.Join(" | ", columns.Select(column => column.Cell(row)))} |");
        output.WriteLine();
    }

    /// <summary>A layer of a mixture, or the mean of its layers: a number of it, of each seed.</summary>
    private sealed record Row(string Name, string Layer, Func<Func<LayerFindings, double>, double[]> Of);
}
