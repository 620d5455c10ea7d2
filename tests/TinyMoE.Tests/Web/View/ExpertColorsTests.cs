using System.Globalization;
using System.Text.RegularExpressions;
using TinyMoE.Web.View.Components;

namespace TinyMoE.Tests.Web.View;

/// <summary>
/// The colours of experts as people see them who lack one kind of cone. The matrices are those of Machado, Oliveira and Fernandes (2009, "A
/// physiologically-based model for simulation of color vision deficiency") at full severity, for linear RGB; distances are of CIE 1976,
/// where some 2.3 are just seen.
/// </summary>
public sealed class ExpertColorsTests
{
    private const double JustSeen = 2.3, WellSeen = 8, LeastContrast = 4.5;

    private static readonly Dictionary<string, double[][]> Eyes = new()
    {
        ["all cones"] = [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        ["protanopia"] = [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        ["deuteranopia"] = [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        ["tritanopia"] = [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    };

    private static readonly double[][] ToXyz =
        [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]];

    [Theory]
    [InlineData("light", "all cones")]
    [InlineData("light", "protanopia")]
    [InlineData("light", "deuteranopia")]
    [InlineData("light", "tritanopia")]
    [InlineData("dark", "all cones")]
    [InlineData("dark", "protanopia")]
    [InlineData("dark", "deuteranopia")]
    [InlineData("dark", "tritanopia")]
    public void Colors_AreToldApart_ByAllEyes(string theme, string eyes)
    {
        double[][] seen = [.. Mixed(theme).Append(Of(theme, "ground")).Select(color => Lab(Times(Eyes[eyes], Linear(color))))];
        for (int i = 0; i < ExpertColors.Count; i++)
        {
            Assert.True(Distance(seen[i], seen[^1]) > 5, $"{i} and the ground: {Distance(seen[i], seen[^1]):0.0}");
            for (int j = 0; j < i; j++)
            {
                // The first eight, as of most small models, and neighbours in number are well apart; each pair is just seen to be two.
                double least = i < 8 || i - j == 1 ? WellSeen : i - j < 8 ? WellSeen * 0.75 : JustSeen;
                Assert.True(Distance(seen[i], seen[j]) > least, $"{i} and {j}: {Distance(seen[i], seen[j]):0.0}, {least} is wanted");
            }
        }
    }

    [Theory]
    [InlineData("light")]
    [InlineData("dark")]
    public void Labels_CanBeRead_OnEach(string theme)
    {
        double text = Luminance(Of(theme, "text"));
        Assert.All(Mixed(theme), color =>
        {
            double ground = Luminance(color);
            Assert.InRange((Math.Max(text, ground) + 0.05) / (Math.Min(text, ground) + 0.05), LeastContrast, 21);
        });
    }

    [Fact]
    public void Style_HasAClassForEach_AndMoreExpertsTakeThemAgain()
    {
        Assert.Equal(ExpertColors.Count, ExpertColors.All.Distinct().Count());
        Assert.All(Enumerable.Range(0, ExpertColors.Count), i => Assert.Contains(
            $".x{i}{{--x:color-mix(in srgb,{ExpertColors.All[i]} {ExpertColors.Percent}%,var(--ground))}}", ExpertColors.Style,
            StringComparison.Ordinal));
        Assert.Equal(("x x5", "x x5"), (ExpertColors.ClassOf(5), ExpertColors.ClassOf(5 + ExpertColors.Count)));
    }

    /// <summary>The colours as they are on the ground of a theme, which view.css has.</summary>
    private static IEnumerable<double[]> Mixed(string theme)
    {
        double[] ground = Of(theme, "ground");
        return ExpertColors.All.Select(color => Rgb(color).Zip(ground, (c, g) => g + ((c - g) * ExpertColors.Percent / 100)).ToArray());
    }

    private static double[] Of(string theme, string name)
    {
        string css = File.ReadAllText(
            Path.Combine(FloorsTests.RepositoryRoot(), "src", "TinyMoE.Web", "View", "wwwroot", "view.css"));
        string block = theme == "light" ? css : css[css.IndexOf(":root[data-theme=\"dark\"]", StringComparison.Ordinal)..];
        return Rgb(Regex.Match(block, $"--{name}: (#[0-9a-f]{{6}})").Groups[1].Value);
    }

    private static double[] Rgb(string color) =>
        [.. Enumerable.Range(0, 3).Select(i => int.Parse(color.AsSpan(1 + (2 * i), 2), NumberStyles.HexNumber) / 255.0)];

    private static double[] Linear(double[] rgb) =>
        [.. rgb.Select(each => each <= 0.04045 ? each / 12.92 : Math.Pow((each + 0.055) / 1.055, 2.4))];

    private static double[] Times(double[][] matrix, double[] vector) =>
        [.. matrix.Select(row => row.Zip(vector, (a, b) => a * b).Sum())];

    private static double Luminance(double[] rgb) => Times(ToXyz, Linear(rgb))[1];

    private static double[] Lab(double[] linear)
    {
        double[] xyz = Times(ToXyz, [.. linear.Select(each => Math.Clamp(each, 0, 1))]);
        double[] f = [.. xyz.Zip((double[])[0.95047, 1, 1.08883], (value, white) => value / white)
            .Select(each => each > 0.008856 ? Math.Cbrt(each) : (7.787 * each) + (16.0 / 116))];
        return [(116 * f[1]) - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])];
    }

    private static double Distance(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());
}
