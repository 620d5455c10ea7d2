using Spectre.Console;
using TinyMoE.Inspect;
using static System.FormattableString;

namespace TinyMoE.Cli.Output;

/// <summary>Shows what experts live on: a line per layer, and one per expert where there are few enough to read.</summary>
internal static class TraceSummaryTable
{
    private const int MostExperts = 64; // of all layers; more lines are for a file
    private const int MostTokens = 5;   // per expert

    private const string Kinds = "bars of kinds: lower, upper, digits, blanks, brackets, signs, other, special";

    /// <summary>Writes the table; nothing for a dense model.</summary>
    public static void Write(IAnsiConsole console, TraceSummary summary, IReadOnlyList<LayerSaturation>? saturation)
    {
        bool each = summary.Layers.Sum(layer => layer.Experts.Count) <= MostExperts;
        if (each && summary.Layers.Count > 0)
            console.WriteLine(Kinds);
        for (int l = 0; l < summary.Layers.Count; l++)
        {
            LayerSummary layer = summary.Layers[l];
            console.WriteLine(Line(layer, saturation?[l]));
            if (each)
                console.Write(Experts(layer));
        }

        if (!each)
            console.WriteLine("what each expert lives on: --summary FILE");
    }

    private static string Line(LayerSummary layer, LayerSaturation? saturation)
    {
        string vocabulary = layer.VocabularySpecialisation is { } share ? Invariant($", by vocabulary {share:P0}") : "";
        string saturated = saturation is null ? "" : Invariant($", saturation {saturation.First:P0} (k=1), {saturation.All:P0}");
        return Invariant($"layer {layer.Layer}: gate entropy {layer.GateEntropy:F3}{vocabulary}{saturated}");
    }

    private static Table Experts(LayerSummary layer)
    {
        Table table = new Table().Border(TableBorder.None);
        foreach (string heading in (string[])["expert", "tokens", "gate", "norm"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        table.AddColumn("kinds").AddColumn("lives on (times as often as in the text)");
        foreach (ExpertSummary expert in layer.Experts)
        {
            table.AddRow(
                new Text(Invariant($"{expert.Expert}")), new Text(Invariant($"{100 * expert.Share:F1}%")),
                new Text(Invariant($"{expert.MeanGate:F2}")),
                new Text(expert.MeanOutputNorm is { } norm ? Invariant($"{norm:G3}") : "-"),
                new Text(RoutingTable.Bars(Relative(expert))),
                new Text(string.Join(' ', expert.LivesOn.Take(MostTokens).Select(Of))));
        }

        return table;
    }

    /// <summary>The shares of kinds so that a bar is half high where the kind is as usual for the expert.</summary>
    private static float[] Relative(ExpertSummary expert) =>
        [.. expert.ByKind.Select(share => expert.Share == 0 ? 0f : share / expert.Share / expert.ByKind.Length)];

    private static string Of(TokenShare token) => Invariant($"{Printable.OnOneLine(token.Token)}×{token.Lift:F1}");
}
