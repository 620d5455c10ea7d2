using TinyMoE.Web.View.Runs;

namespace TinyMoE.Web.View.Components;

/// <summary>Something that happened, to be marked on a curve.</summary>
/// <param name="X">Where.</param>
/// <param name="Y">The value of its curve there.</param>
/// <param name="Kind">"warning" or "problem".</param>
/// <param name="Text">What happened, with the step, and the layer where it is about one.</param>
public sealed record ChartMark(double X, double Y, string Kind, string Text)
{
    private const int MostPlaces = 40;

    /// <summary>What curves are marked with; notes are no trouble and stand in the table alone.</summary>
    internal static bool IsMarked(RunEvent said) => said.Kind is "warning" or "problem";

    /// <summary>A mark on a curve, at the height that it has there; null: there is no curve, or it is not known where.</summary>
    internal static ChartMark? On(Curve curve, double x, RunEvent said, string who) =>
        !double.IsFinite(x) || curve.Points.Count == 0 ? null : new ChartMark(
            x, HeightAt(curve.Points, x), said.Kind, $"{who}step {Say.Whole(said.Step)}{LayerOf(said)}: {said.Text}");

    /// <summary>At most so many of a kind as can be told apart: of those that lie on one another the first, with all their texts.</summary>
    internal static ChartMark[] Thin(IEnumerable<ChartMark> marks)
    {
        ChartMark[] all = [.. marks];
        if (all.Length == 0)
            return [];
        double least = all.Min(mark => mark.X), width = Math.Max(all.Max(mark => mark.X) - least, 1e-9) / MostPlaces;
        return [.. all.GroupBy(mark => (mark.Kind, Place: Math.Floor((mark.X - least) / width), Math.Round(mark.Y, 3)))
            .Select(group => group.First() with { Text = string.Join('\n', group.Select(mark => mark.Text)) }).OrderBy(mark => mark.X)];
    }

    private static string LayerOf(RunEvent said) => said.Layer is { } layer ? $", layer {layer}" : "";

    /// <summary>Between two points a line; before the first and after the last their own height.</summary>
    private static double HeightAt(IReadOnlyList<CurvePoint> points, double x)
    {
        int at = 0;
        while (at < points.Count && points[at].X < x)
            at++;
        if (at == 0 || at == points.Count)
            return points[Math.Min(at, points.Count - 1)].Y;
        (CurvePoint before, CurvePoint after) = (points[at - 1], points[at]);
        return before.Y + ((after.Y - before.Y) * (x - before.X) / (after.X - before.X));
    }
}
