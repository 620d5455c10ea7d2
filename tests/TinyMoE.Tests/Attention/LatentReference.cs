using TinyMoE.Configuration;

namespace TinyMoE.Tests.Attention;

/// <summary>Latent attention token by token, head by head, in double precision: its formulas and nothing else.</summary>
/// <param name="model">Width and context.</param>
/// <param name="attention">Its sizes.</param>
/// <param name="values">Parameters by name, and "x" (B·T, C).</param>
internal sealed class LatentReference(ModelConfig model, AttentionConfig attention, IReadOnlyDictionary<string, float[]> values)
{
    private readonly int size = attention.HeadSize > 0 ? attention.HeadSize : model.Width / attention.Heads;
    private readonly int turned = attention.RopeSize;

    public Dictionary<string, double[]> Values { get; } =
        values.ToDictionary(pair => pair.Key, pair => Array.ConvertAll(pair.Value, v => (double)v));

    private int Plain => size - turned;

    private int ValueSize => attention.ValueSize > 0 ? attention.ValueSize : size;

    /// <summary>(B·T, C).</summary>
    public double[] Forward()
    {
        double[][] x = [.. Values["x"].Chunk(model.Width)];
        double[][][] q = [.. x.Select((row, n) => Queries(row, n % model.Context))];
        (double[][] Keys, double[][] Values)[] kv = [.. x.Select((row, n) => KeysAndValues(row, n % model.Context))];
        IEnumerable<int> heads = Enumerable.Range(0, attention.Heads);
        return [.. x.SelectMany((_, n) => Linear("output", [.. heads.SelectMany(h => Attend(q[n][h], kv, n, h))]))];
    }

    private double[] Attend(double[] q, (double[][] Keys, double[][] Values)[] kv, int n, int h)
    {
        double scale = attention.Scale > 0 ? attention.Scale : 1 / Math.Sqrt(size);
        double[] y = new double[ValueSize];
        double sum = 0;
        for (int back = 0; back <= n % model.Context; back++)
        {
            double weight = Math.Exp(scale * Dot(q, kv[n - back].Keys[h]));
            sum += weight;
            for (int i = 0; i < ValueSize; i++)
                y[i] += weight * kv[n - back].Values[h][i];
        }

        return Array.ConvertAll(y, value => value / sum);
    }

    private double[][] Queries(double[] x, int position)
    {
        double[] all = attention.QueryRank > 0
            ? Linear("query_up", Normed("query_down_norm", Linear("query_down", x)))
            : Linear("query", x);
        return [.. all.Chunk(size).Select(head => (double[])[.. head[..Plain], .. Turned(head[Plain..], position)])];
    }

    private (double[][] Keys, double[][] Values) KeysAndValues(double[] x, int position)
    {
        double[] down = Linear("key_value_down", x);
        double[] shared = Turned(down[attention.LatentRank..], position);
        double[][] up = [.. Linear("key_value_up", Normed("key_value_norm", down[..attention.LatentRank])).Chunk(Plain + ValueSize)];
        return ([.. up.Select(head => (double[])[.. head[..Plain], .. shared])], [.. up.Select(head => head[Plain..])]);
    }

    private double[] Normed(string name, double[] x)
    {
        double root = Math.Sqrt(x.Average(value => value * value) + 1e-6);
        return [.. x.Zip(Values[$"{name}.weight"], (value, weight) => value / root * weight)];
    }

    private double[] Turned(double[] x, int position)
    {
        int half = turned / 2;
        double[] y = new double[turned];
        (double[] frequencies, double factor) = RopeReference.Of(attention, turned, model.Context);
        for (int i = 0; i < half; i++)
        {
            (int a, int b) = attention.RopeInterleaved ? (2 * i, 2 * i + 1) : (i, i + half);
            (double sin, double cos) = (factor * Math.Sin(position * frequencies[i]), factor * Math.Cos(position * frequencies[i]));
            (y[a], y[b]) = (x[a] * cos - x[b] * sin, x[b] * cos + x[a] * sin);
        }

        return y;
    }

    private double[] Linear(string name, double[] x)
    {
        double[]? bias = Values.GetValueOrDefault($"{name}.bias");
        return [.. Values[$"{name}.weight"].Chunk(x.Length).Select((row, i) => Dot(row, x) + (bias?[i] ?? 0))];
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
