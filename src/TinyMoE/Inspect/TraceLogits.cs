using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace TinyMoE.Inspect;

/// <summary>Ranks, largest values, norms and entropies of rows of numbers: each a pass over the row, some lanes at a time.</summary>
internal static class TraceLogits
{
    private const float Smallest = 1e-37f; // p·log p is 0 from here on, not a NaN

    /// <summary>The place of an id by its logit, 1 for the largest; among equal ones the lower id comes first. logits (V).</summary>
    public static int Rank(ReadOnlySpan<float> logits, int id)
    {
        float own = logits[id];
        return 1 + CountNotBelow(logits[..id], own) + CountAbove(logits[(id + 1)..], own);
    }

    /// <summary>
    /// The columns of the largest logits with these, the largest first, the lower column first among equals; as many as there is room for.
    /// </summary>
    public static void Largest(ReadOnlySpan<float> logits, Span<int> columns, Span<float> values)
    {
        if (columns.IsEmpty)
            return;
        values.Fill(float.NegativeInfinity);
        int lanes = Vector<float>.Count, found = 0, v = 0;
        for (; v <= logits.Length - lanes; v += lanes)
        {
            // No lane is above the smallest that is kept: nothing changes, since the columns only rise.
            if (found == columns.Length && !Vector.GreaterThanAny(new Vector<float>(logits[v..]), new Vector<float>(values[^1])))
                continue;
            for (int i = v; i < v + lanes; i++)
                Insert(logits[i], i, columns, values, ref found);
        }

        for (; v < logits.Length; v++)
            Insert(logits[v], v, columns, values, ref found);
    }

    /// <summary>The Euclidean norm of each row. x (N, E), result (N).</summary>
    public static float[] Norms(ReadOnlySpan<float> x, int E)
    {
        float[] norms = new float[x.Length / E];
        for (int n = 0; n < norms.Length; n++)
            norms[n] = TensorPrimitives.Norm(x.Slice(n * E, E));
        return norms;
    }

    /// <summary>−Σ p·log p of each row, in nats. p (N, E), result (N).</summary>
    public static float[] Entropies(float[] p, int E)
    {
        float[] logarithms = new float[p.Length], entropies = new float[p.Length / E];
        TensorPrimitives.Max(p, Smallest, logarithms);
        TensorPrimitives.Log(logarithms, logarithms);
        for (int n = 0; n < entropies.Length; n++)
            entropies[n] = -TensorPrimitives.Dot<float>(p.AsSpan(n * E, E), logarithms.AsSpan(n * E, E));
        return entropies;
    }

    private static void Insert(float value, int column, Span<int> columns, Span<float> values, ref int found)
    {
        if (found == columns.Length && !(value > values[^1]))
            return;
        int place = Math.Min(found, columns.Length - 1);
        for (; place > 0 && value > values[place - 1]; place--)
            (columns[place], values[place]) = (columns[place - 1], values[place - 1]);
        (columns[place], values[place]) = (column, value);
        found = Math.Min(found + 1, columns.Length);
    }

    private static int CountAbove(ReadOnlySpan<float> x, float limit)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(x);
        Vector<float> limits = new(limit);
        Vector<int> counts = Vector<int>.Zero;
        foreach (Vector<float> vector in vectors)
            counts -= Vector.GreaterThan(vector, limits);        // a lane that is true is −1
        int count = Vector.Sum(counts);
        foreach (float value in x[(vectors.Length * Vector<float>.Count)..])
            count += value > limit ? 1 : 0;
        return count;
    }

    private static int CountNotBelow(ReadOnlySpan<float> x, float limit)
    {
        ReadOnlySpan<Vector<float>> vectors = MemoryMarshal.Cast<float, Vector<float>>(x);
        Vector<float> limits = new(limit);
        Vector<int> counts = Vector<int>.Zero;
        foreach (Vector<float> vector in vectors)
            counts -= Vector.GreaterThanOrEqual(vector, limits);
        int count = Vector.Sum(counts);
        foreach (float value in x[(vectors.Length * Vector<float>.Count)..])
            count += value >= limit ? 1 : 0;
        return count;
    }
}
