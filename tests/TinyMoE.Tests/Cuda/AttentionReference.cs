using TinyMoE.Backends;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Cuda;

/// <summary>Attention and its gradients in float64, one query and one key at a time.</summary>
internal sealed class AttentionReference
{
    private readonly AttentionSizes sizes;
    private readonly Dropout dropout;
    private readonly float[] q, k, v, dy;

    public AttentionReference(in AttentionSizes sizes, in Dropout dropout, float[] q, float[] k, float[] v, float[] dy)
    {
        (this.sizes, this.dropout, this.q, this.k, this.v, this.dy) = (sizes, dropout, q, k, v, dy);
        (Y, LogSumExp) = (new double[dy.Length], new double[sizes.B * sizes.H * sizes.T]);
        (Dq, Dk, Dv) = (new double[q.Length], new double[k.Length], new double[v.Length]);
        for (int row = 0; row < LogSumExp.Length; row++)
            AddQuery(row);
    }

    /// <summary>(B, T, H, ValueSize).</summary>
    public double[] Y { get; }

    /// <summary>(B, H, T).</summary>
    public double[] LogSumExp { get; }

    /// <summary>As q, k and v.</summary>
    public double[] Dq { get; }

    /// <inheritdoc cref="Dq"/>
    public double[] Dk { get; }

    /// <inheritdoc cref="Dq"/>
    public double[] Dv { get; }

    private void AddQuery(int row)
    {
        (int _, int T, int S, int H, int keyHeads, int D, int window) = sizes;
        int b = row / (H * T), h = row / T % H, t = row % T, position = t + S - T, valueSize = sizes.ValueSize;
        int query = ((b * T + t) * H + h) * D, output = ((b * T + t) * H + h) * valueSize;
        int first = window > 0 ? Math.Max(0, position + 1 - window) : 0;
        int KeyRow(int s) => (b * S + s) * keyHeads + h / (H / keyHeads);

        double[] weights = new double[S], factors = new double[S], slopes = new double[S];
        for (int s = first; s <= position; s++)
            weights[s] = Math.Exp(Dot(q, query, k, KeyRow(s) * D, D) / Math.Sqrt(D));
        double sum = weights.Sum(), delta = 0;
        LogSumExp[row] = Math.Log(sum);
        for (int s = first; s <= position; s++)
        {
            (weights[s], factors[s], slopes[s]) =
                (weights[s] / sum, FactorOf((long)row * S + s), Dot(dy, output, v, KeyRow(s) * valueSize, valueSize));
            delta += weights[s] * factors[s] * slopes[s];
            for (int d = 0; d < valueSize; d++)
            {
                Y[output + d] += weights[s] * factors[s] * v[KeyRow(s) * valueSize + d];
                Dv[KeyRow(s) * valueSize + d] += weights[s] * factors[s] * dy[output + d];
            }
        }

        for (int s = first; s <= position; s++)
        {
            double slope = weights[s] * (factors[s] * slopes[s] - delta) / Math.Sqrt(D);
            for (int d = 0; d < D; d++)
            {
                Dq[query + d] += slope * k[KeyRow(s) * D + d];
                Dk[KeyRow(s) * D + d] += slope * q[query + d];
            }
        }
    }

    private double FactorOf(long number)
    {
        long first = (long)dropout.Key.Part * sizes.B * sizes.H * sizes.T * sizes.S;
        return dropout.Rate == 0 ? 1 : new Philox(dropout.Key).Uniform(first + number) >= dropout.Rate ? 1.0 / (1 - dropout.Rate) : 0;
    }

    private static double Dot(float[] a, int atA, float[] b, int atB, int n)
    {
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += (double)a[atA + i] * b[atB + i];
        return sum;
    }
}
