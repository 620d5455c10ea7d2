using System.Globalization;

namespace TinyMoE.Examples;

/// <summary>What several values come to.</summary>
public static class Statistics
{
    /// <summary>Mean and standard deviation (n − 1), as "1.2345 ± 0.0012"; of one value itself.</summary>
    public static string Spread(IReadOnlyCollection<double> values, string format = "F4")
    {
        string mean = values.Average().ToString(format, CultureInfo.InvariantCulture);
        return values.Count == 1 ? mean : $"{mean} ± {Deviation(values).ToString(format, CultureInfo.InvariantCulture)}";
    }

    /// <summary>The standard deviation (n − 1); 0 of one value.</summary>
    public static double Deviation(IReadOnlyCollection<double> values)
    {
        double mean = values.Average();
        return Math.Sqrt(values.Sum(v => (v - mean) * (v - mean)) / Math.Max(1, values.Count - 1));
    }

    /// <summary>Spearman's rank correlation of pairs, equal values sharing their ranks; 0 where all of one side are equal.</summary>
    public static double RankCorrelation(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        if (x.Count != y.Count)
            throw new ArgumentException($"Pairs have two sides, not {x.Count} and {y.Count} values.", nameof(y));
        (double[] a, double[] b) = (Ranks(x), Ranks(y));
        (double meanA, double meanB) = (a.Average(), b.Average());
        double both = a.Zip(b, (u, v) => (u - meanA) * (v - meanB)).Sum();
        double lengths = Math.Sqrt(a.Sum(u => (u - meanA) * (u - meanA)) * b.Sum(v => (v - meanB) * (v - meanB)));
        return lengths == 0 ? 0 : both / lengths;
    }

    private static double[] Ranks(IReadOnlyList<double> values) =>
        [.. values.Select(value => values.Count(other => other < value) + (values.Count(other => other == value) - 1) / 2.0)];
}
