using System.Globalization;
using Spectre.Console;
using TinyMoE.Inspect;

namespace TinyMoE.Cli.Output;

/// <summary>Shows how alike the experts of each layer are: the mean of their cosines, and the two that are most alike.</summary>
internal static class SimilarityLines
{
    public static void Write(IAnsiConsole console, IReadOnlyList<LayerSimilarity> layers)
    {
        if (layers.Count == 0)
            return;
        Table table = new Table().Border(TableBorder.None).AddColumn(new TableColumn("layer").RightAligned());
        foreach (string heading in (string[])["weights", "neurons matched", "outputs"])
            table.AddColumn(heading);
        foreach (LayerSimilarity layer in layers)
        {
            table.AddRow(
                layer.Layer.ToString(CultureInfo.InvariantCulture), Of(layer.Weights), Of(layer.Matched),
                layer.Outputs is null ? "-" : Of(layer.Outputs));
        }

        console.WriteLine("how alike the experts are: mean cosine, and the two that are most alike");
        console.Write(table);
        if (layers.Any(layer => !layer.IsExact))
            console.WriteLine($"more than {ExpertSimilarity.MostNeurons} neurons are matched greedily, the most similar first");
    }

    /// <summary>"0.021, 3 and 5 0.104".</summary>
    private static string Of(float[][] cosines)
    {
        (float Cosine, int A, int B)[] pairs =
            [.. Enumerable.Range(0, cosines.Length).SelectMany(a => Enumerable.Range(0, a).Select(b => (cosines[a][b], b, a)))];
        if (pairs.Length == 0)
            return "-";
        (float most, int one, int other) = pairs.MaxBy(pair => pair.Cosine);
        return string.Create(CultureInfo.InvariantCulture, $"{pairs.Average(pair => pair.Cosine):F3}, {one} and {other} {most:F3}");
    }
}
