using System.Globalization;
using System.Text;

namespace TinyMoE.Examples.Specialisation;

/// <summary>The pictures of the README, one file each.</summary>
internal static class Pictures
{
    private const int Width = 860, Left = 52, PanelWidth = 350, Gap = 80;
    private const double LeastCost = 0.1;

    private static readonly string[] Classes = ["token", "predicted token", "kind of characters", "domain", "domain beyond token"];

    private static readonly Func<LayerFindings, double>[] Explanations =
    [
        layer => layer.Explained.Token, layer => layer.Explained.Predicted, layer => layer.Explained.Kind, layer => layer.Explained.Domain,
        layer => layer.Explained.DomainBeyond,
    ];

    /// <summary>Writes all into a folder.</summary>
    public static void Write(string folder, IReadOnlyList<Mixture> mixtures, IReadOnlyList<string> domains)
    {
        Directory.CreateDirectory(folder);
        Explained(mixtures).Save(Path.Combine(folder, "explained.svg"), "What explains the routing, layer by layer");
        Domains(mixtures, domains).Save(Path.Combine(folder, "domains.svg"), "Which domain goes to which expert");
        Saturation(mixtures).Save(Path.Combine(folder, "saturation.svg"), "Router saturation and validation loss over steps");
        Ablation(mixtures).Save(Path.Combine(folder, "ablation.svg"), "What the loss grows by without an expert, beside its load");
    }

    /// <summary>Bars by layer and class.</summary>
    private static Picture Explained(IReadOnlyList<Mixture> mixtures)
    {
        Picture picture = new(Width, 330);
        double most = mixtures.Max(mixture => Explanations.Max(value => Enumerable.Range(0, mixture.Layers).Max(
            layer => mixture.Of(layer, value).Average() + Statistics.Deviation(mixture.Of(layer, value)))));
        for (int i = 0; i < mixtures.Count; i++)
        {
            Mixture mixture = mixtures[i];
            Axis layers = new(0, mixture.Layers, [.. Enumerable.Range(0, mixture.Layers).Select(l => (l + 0.5, $"layer {l}"))], "");
            Axis shares = Axis.UpTo(Math.Ceiling(most * 10) / 10, i == 0 ? "explained, % of the uncertainty" : "", scale: 100);
            Panel panel = new(picture, Place(i, 30, 220), layers, shares, mixture.Title);
            for (int layer = 0; layer < mixture.Layers; layer++)
            {
                for (int c = 0; c < Explanations.Length; c++)
                {
                    double[] values = mixture.Of(layer, Explanations[c]);
                    double from = layer + 0.1 + 0.16 * c;
                    panel.Bar(c, from, from + 0.145, values.Average(), Statistics.Deviation(values));
                }
            }
        }

        for (int c = 0; c < Classes.Length; c++)
            picture.Key(Left + 152 * c, 310, c, Classes[c], Mark.Bar);
        return picture;
    }

    /// <summary>
    /// Domains down, layers and experts to the right, of the first seed: OLMoE's domain specialisation, over the uniform share.
    /// </summary>
    private static Picture Domains(IReadOnlyList<Mixture> mixtures, IReadOnlyList<string> domains)
    {
        const double Names = 90, Row = 20;
        double height = 46 + Row * domains.Count, room = Width - Names - 10;
        Picture picture = new(Width, (int)(height * mixtures.Count + 40));
        for (int i = 0; i < mixtures.Count; i++)
        {
            double top = 40 + height * i;
            Mixture mixture = mixtures[i];
            double layerWidth = room / mixture.Layers, cell = (layerWidth - 8) / mixture.Experts;
            StringBuilder[] paths = [.. Enumerable.Range(0, Picture.Shades).Select(_ => new StringBuilder())];
            picture.Text(Names, top - 20, mixture.Title, style: "title");
            for (int d = 0; d < domains.Count; d++)
                picture.Text(Names - 6, top + Row * (d + 0.7), domains[d], "end");
            foreach (LayerFindings layer in mixture.Runs[0].Layers)
            {
                double left = Names + layerWidth * layer.Layer;
                picture.Text(left, top - 5, $"layer {layer.Layer}", style: "small");
                for (int e = 0; e < mixture.Experts; e++)
                {
                    for (int d = 0; d < domains.Count; d++)
                    {
                        paths[ShadeOf(layer.Experts[e].ByDomain[d])].Append(
                            CultureInfo.InvariantCulture, $"M{left + cell * e:0.#} {top + Row * d:0.#}h{cell:0.#}v{Row - 1}h-{cell:0.#}z");
                    }
                }
            }

            for (int shade = 0; shade < paths.Length; shade++)
                picture.Cells(shade, paths[shade].ToString());
        }

        picture.CellKey(Names + 130, height * mixtures.Count + 28, "a quarter of uniform", "four times uniform");
        return picture;
    }

    /// <summary>The nearest shade of log₂ of a ratio from 1/4 to 4.</summary>
    private static int ShadeOf(double ratio)
    {
        double place = (Math.Log2(Math.Max(ratio, 1e-9)) + 2) / 4 * (Picture.Shades - 1);
        return (int)Math.Round(Math.Clamp(place, 0, Picture.Shades - 1));
    }

    /// <summary>Above, the share of the last choices that were made at a step already, by layer; below, the validation loss.</summary>
    private static Picture Saturation(IReadOnlyList<Mixture> mixtures)
    {
        Picture picture = new(Width, 530);
        double last = mixtures.Max(mixture => mixture.Runs[0].Losses[^1].Step);
        double[] losses = [.. mixtures.SelectMany(mixture => mixture.Runs).SelectMany(run => run.Losses).Select(at => at.Loss)];
        Axis steps = Axis.UpTo(last, "step");
        for (int i = 0; i < mixtures.Count; i++)
        {
            Mixture mixture = mixtures[i];
            Panel above = new(
                picture, Place(i, 30, 230), steps with { Name = "" }, Axis.UpTo(1, i == 0 ? "saturation, % of choices" : "", scale: 100),
                mixture.Title);
            above.Level((double)mixture.Active / mixture.Experts);
            for (int layer = 0; layer < mixture.Layers; layer++)
            {
                int at = layer;
                above.Line(layer, Enumerable.Range(0, mixture.Runs[0].Layers[layer].Saturation.Count).Select(
                    k => ((double)mixture.Runs[0].Layers[at].Saturation[k].Step, mixture.Of(at, l => l.Saturation[k].All).Average())));
            }

            Axis loss = Axis.UpTo(Math.Ceiling(losses.Max()), i == 0 ? "validation loss" : "", from: Math.Floor(losses.Min()));
            Panel below = new(picture, Place(i, 320, 130), steps, loss, "");
            foreach (RunFindings run in mixture.Runs)
                below.Line(0, run.Losses.Select(point => ((double)point.Step, point.Loss)));
        }

        for (int layer = 0; layer < Math.Min(mixtures[0].Layers, Classes.Length); layer++)
            picture.Key(Left + 120 * layer, 516, layer, $"layer {layer}", Mark.Line);
        picture.Text(Left + 120 * 4 + 10, 516, "dotted: chance, K/E");
        return picture;
    }

    /// <summary>A dot per expert and seed; costs below a tenth of a thousandth lie on the axis.</summary>
    private static Picture Ablation(IReadOnlyList<Mixture> mixtures)
    {
        Picture picture = new(Width, 400);
        Expert[] all = [.. mixtures.SelectMany(mixture => mixture.Runs).SelectMany(run => run.Layers).SelectMany(layer => layer.Experts)];
        double most = Math.Ceiling(Math.Log10(Math.Max(1, all.Max(expert => expert.Cost)))), least = Math.Log10(LeastCost);
        Axis loads = Axis.UpTo(Math.Ceiling(all.Max(expert => expert.Load) * 2) / 2, "load, times an even one");
        for (int i = 0; i < mixtures.Count; i++)
        {
            IEnumerable<double> powers = Enumerable.Range((int)least, (int)(most - least) + 1).Select(power => (double)power);
            Axis costs = new(
                least, most, [.. powers.Select(power => (power, Math.Pow(10, power).ToString("0.##", CultureInfo.InvariantCulture)))],
                i == 0 ? "cost, thousandths of a nat" : "");
            Panel panel = new(picture, Place(i, 30, 290), loads, costs, mixtures[i].Title);
            foreach (LayerFindings layer in mixtures[i].Runs.SelectMany(run => run.Layers))
            {
                foreach (Expert expert in layer.Experts)
                    panel.Dot(layer.Layer, expert.Load, Math.Log10(Math.Max(LeastCost, expert.Cost)));
            }
        }

        for (int layer = 0; layer < mixtures[0].Layers; layer++)
            picture.Key(Left + 120 * layer, 386, layer, $"layer {layer}", Mark.Dot);
        return picture;
    }

    private static (double X, double Y, double Width, double Height) Place(int column, double top, double height) =>
        (Left + column * (PanelWidth + Gap), top, PanelWidth, height);
}
