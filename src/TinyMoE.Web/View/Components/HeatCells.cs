using System.Globalization;
using System.Text;

namespace TinyMoE.Web.View.Components;

/// <summary>
/// A table of shares as few shapes: cells of the same level that lie side by side are one rectangle, and all rectangles of a level one
/// path. 64 experts over 120 evaluations are 16 paths instead of 7,680 rectangles.
/// </summary>
internal static class HeatCells
{
    /// <summary>Shades, from nothing to <see cref="Largest"/> times the even share and more.</summary>
    public const int Levels = 16;

    /// <summary>What the last shade stands for, as a multiple of the even share.</summary>
    public const double Largest = 2.5;

    /// <summary>The shade of a share, where all of (E) sum to 1.</summary>
    public static int LevelOf(double share, int experts) =>
        double.IsNaN(share) ? 0 : (int)Math.Clamp(share * experts / Largest * Levels, 0, Levels - 1);

    /// <summary>
    /// At most so many columns: of those that fall together each expert keeps the share that is farthest from even, so that no collapse is
    /// lost between two columns.
    /// </summary>
    public static (double[] Steps, float[][] Load) Thin(IReadOnlyList<double> steps, IReadOnlyList<float[]> load, int most)
    {
        int columns = Math.Min(most, steps.Count);
        (double[] thinSteps, float[][] thin) = (new double[columns], new float[columns][]);
        for (int column = 0; column < columns; column++)
        {
            int from = (int)((long)steps.Count * column / columns), to = (int)((long)steps.Count * (column + 1) / columns);
            thinSteps[column] = steps[to - 1];
            float[] farthest = [.. load[to - 1]];
            for (int i = from; i < to - 1; i++)
            {
                for (int e = 0; e < Math.Min(farthest.Length, load[i].Length); e++)
                {
                    float even = 1f / farthest.Length;
                    if (Math.Abs(load[i][e] - even) > Math.Abs(farthest[e] - even))
                        farthest[e] = load[i][e];
                }
            }

            thin[column] = farthest;
        }

        return (thinSteps, thin);
    }

    /// <summary>The paths by level of (E) shares per column; columns to the right and experts down.</summary>
    public static string[] Paths(float[][] load) => Paths(
        load.Length, load.Length == 0 ? 0 : load.Max(column => column.Length), Levels,
        (column, e) => e < load[column].Length ? LevelOf(load[column][e], load[column].Length) : null);

    /// <summary>The paths by kind, empty where a kind has no cell; a cell is 1 by 1, and those of no kind are left out.</summary>
    public static string[] Paths(int columns, int rows, int kinds, Func<int, int, int?> kindOf)
    {
        StringBuilder[] paths = [.. Enumerable.Range(0, kinds).Select(_ => new StringBuilder())];
        for (int row = 0; row < rows; row++)
        {
            int begin = 0;
            for (int column = 1; column <= columns; column++)
            {
                int? kind = kindOf(begin, row);
                if (column < columns && kindOf(column, row) == kind)
                    continue;
                int width = column - begin;
                if (kind is { } one)
                    paths[one].Append(CultureInfo.InvariantCulture, $"M{begin} {row}h{width}v1h-{width}z");
                begin = column;
            }
        }

        return [.. paths.Select(path => path.ToString())];
    }
}
