using System.Globalization;
using System.Text;
using Spectre.Console;
using TinyMoE.Inspect;

namespace TinyMoE.Cli.Output;

/// <summary>Draws which experts are chosen together: one map per layer, a row and a column per expert, darker for more tokens.</summary>
internal static class CoActivationMap
{
    private const string Shades = " ░▒▓█";

    /// <summary>Writes a map of each layer; where a token has one expert, or for too many experts, why there is none.</summary>
    public static void Write(IAnsiConsole console, IReadOnlyList<RoutingReport> routing)
    {
        foreach (RoutingReport layer in routing)
        {
            console.WriteLine();
            if (layer.CoActivation is { } together)
                WriteLayer(console, layer.Layer, together);
            else
                console.WriteLine($"layer {layer.Layer}: too many experts to count which are chosen together");
        }
    }

    private static void WriteLayer(IAnsiConsole console, int layer, float[][] together)
    {
        float most = together.SelectMany((row, e) => row.Where((_, f) => f != e)).DefaultIfEmpty().Max();
        if (!(most > 0f))
        {
            console.WriteLine($"layer {layer}: no token has two experts");
            return;
        }

        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"layer {layer}, experts chosen together (█ {100 * most:F0} % of the tokens)"));
        StringBuilder line = new();
        for (int e = 0; e < together.Length; e++)
        {
            line.Clear().Append(CultureInfo.InvariantCulture, $"{e,4} ");
            for (int f = 0; f < together.Length; f++)
                line.Append(e == f ? '·' : Shade(together[e][f] / most), 2);
            console.WriteLine(line.ToString());
        }
    }

    private static char Shade(float share) => Shades[(int)Math.Clamp(MathF.Round(share * (Shades.Length - 1)), 0, Shades.Length - 1)];
}
