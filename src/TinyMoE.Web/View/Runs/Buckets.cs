namespace TinyMoE.Web.View.Runs;

/// <summary>A point of a curve.</summary>
/// <param name="X">Step, tokens or seconds.</param>
/// <param name="Y">The value there.</param>
public readonly record struct CurvePoint(double X, double Y);

/// <summary>
/// A long curve in few points that shows the same: of each of equally many points it keeps the least and the largest, and the first and
/// the last of all. Means would hide the peak of one step, which is what one looks for; what is no number has no place and is left out.
/// </summary>
internal static class Buckets
{
    /// <summary>The points as they are where there are no more than <paramref name="most"/>, else those of the buckets, in order.</summary>
    /// <param name="xs">Where, ascending.</param>
    /// <param name="ys">As many values.</param>
    /// <param name="most">Points at most, at least 4.</param>
    public static CurvePoint[] Thin(IReadOnlyList<double> xs, IReadOnlyList<double> ys, int most)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(most, 4);
        ArgumentOutOfRangeException.ThrowIfNotEqual(xs.Count, ys.Count);
        List<CurvePoint> points = new(Math.Min(xs.Count, most));
        int buckets = (most - 2) / 2, count = xs.Count;
        if (count <= most)
        {
            for (int i = 0; i < count; i++)
                Add(i);
            return [.. points];
        }

        Add(0);
        for (int bucket = 0; bucket < buckets; bucket++)
        {
            // the first and the last are kept anyway
            int from = 1 + (int)((long)(count - 2) * bucket / buckets), to = 1 + (int)((long)(count - 2) * (bucket + 1) / buckets);
            (int least, int largest) = Extremes(ys, from, to);
            if (least < 0)
                continue;
            Add(Math.Min(least, largest));
            if (least != largest)
                Add(Math.Max(least, largest));
        }

        Add(count - 1);
        return [.. points];

        void Add(int i)
        {
            if (double.IsFinite(ys[i]) && double.IsFinite(xs[i]))
                points.Add(new CurvePoint(xs[i], ys[i]));
        }
    }

    /// <summary>Where the least and the largest number of a part is; -1 where there is none.</summary>
    private static (int Least, int Largest) Extremes(IReadOnlyList<double> ys, int from, int to)
    {
        (int least, int largest) = (-1, -1);
        for (int i = from; i < to; i++)
        {
            if (!double.IsFinite(ys[i]))
                continue;
            if (least < 0 || ys[i] < ys[least])
                least = i;
            if (largest < 0 || ys[i] > ys[largest])
                largest = i;
        }

        return (least, largest);
    }
}
