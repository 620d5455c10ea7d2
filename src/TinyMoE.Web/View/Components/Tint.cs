using System.Globalization;

namespace TinyMoE.Web.View.Components;

/// <summary>Colours of numbers.</summary>
internal static class Tint
{
    /// <summary>A ground for a share from 0 to 1, the more the stronger.</summary>
    public static string Behind(double share, bool isBad = false)
    {
        double percent = double.IsNaN(share) ? 0 : 55 * Math.Clamp(share, 0, 1);
        return string.Create(CultureInfo.InvariantCulture,
            $"background:color-mix(in srgb, var({(isBad ? "--series-1" : "--series-0")}) {percent:0}%, var(--ground))");
    }
}
