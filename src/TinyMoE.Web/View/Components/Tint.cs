using System.Globalization;

namespace TinyMoE.Web.View.Components;

/// <summary>Colours of experts and of numbers; an expert's number stands beside its colour wherever it is used.</summary>
internal static class Tint
{
    /// <summary>
    /// The hue of an expert: neighbours in number are far apart on the circle, and every second one is paler, so that 64 are told apart as
    /// far as eyes can.
    /// </summary>
    public static string OfExpert(int expert)
    {
        double hue = expert * 137.508 % 360;
        int saturation = expert / 8 % 2 == 0 ? 75 : 40;
        return string.Create(CultureInfo.InvariantCulture, $"hsl({hue:0} {saturation}% 50%)");
    }

    /// <summary>The same as a ground behind text, which stays readable in dark and in light.</summary>
    public static string Behind(int expert) => "background:" + Pale(expert);

    /// <summary>The colour that lets text on it be read.</summary>
    public static string Pale(int expert) => $"color-mix(in srgb, {OfExpert(expert)} 38%, var(--ground))";

    /// <summary>A ground for a share from 0 to 1, the more the stronger.</summary>
    public static string Behind(double share, bool isBad = false)
    {
        double percent = double.IsNaN(share) ? 0 : 55 * Math.Clamp(share, 0, 1);
        return string.Create(CultureInfo.InvariantCulture,
            $"background:color-mix(in srgb, var({(isBad ? "--series-1" : "--series-0")}) {percent:0}%, var(--ground))");
    }
}
