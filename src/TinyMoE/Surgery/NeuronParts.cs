using System.Numerics.Tensors;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Surgery;

/// <summary>Deals the hidden neurons of a feed-forward out to experts, to each as many.</summary>
internal static class NeuronParts
{
    private const int Rounds = 20;

    /// <summary>Equal parts at random, each rising.</summary>
    public static int[][] Random(int count, int parts, Philox numbers) => Cut(Shuffled(count, numbers), parts);

    /// <summary>
    /// Equal clusters by k-means: in each round the nearest pairs of neuron and centre come together first, as long as the cluster has
    /// room. rows (count, C), the weights of each neuron to the input.
    /// </summary>
    public static int[][] Clusters(ReadOnlySpan<float> rows, int count, int parts, Philox numbers)
    {
        int C = rows.Length / count;
        float[][] centres = new float[parts][];
        int[] first = Shuffled(count, numbers);
        for (int part = 0; part < parts; part++)
            centres[part] = rows.Slice(first[part] * C, C).ToArray();
        int[] cluster = [];
        for (int round = 0; round < Rounds; round++)
        {
            int[] next = Assign(rows, count, centres);
            if (next.AsSpan().SequenceEqual(cluster))
                break;
            cluster = next;
            Move(rows, cluster, centres);
        }

        return [.. Enumerable.Range(0, parts).Select(part => Enumerable.Range(0, count).Where(j => cluster[j] == part).ToArray())];
    }

    /// <summary>The numbers below <paramref name="count"/> in a random order.</summary>
    public static int[] Shuffled(int count, Philox numbers)
    {
        uint[] words = new uint[count];
        numbers.Words(0, words);
        return [.. Enumerable.Range(0, count).OrderBy(i => words[i])];
    }

    private static int[][] Cut(int[] order, int parts)
    {
        int size = order.Length / parts;
        return [.. Enumerable.Range(0, parts).Select(part => order[(part * size)..((part + 1) * size)].Order().ToArray())];
    }

    private static int[] Assign(ReadOnlySpan<float> rows, int count, float[][] centres)
    {
        int parts = centres.Length, C = centres[0].Length;
        float[] distances = new float[count * parts];
        int[] pairs = new int[count * parts];
        for (int pair = 0; pair < pairs.Length; pair++)
        {
            (int neuron, int part) = Math.DivRem(pair, parts);
            pairs[pair] = pair;
            distances[pair] = TensorPrimitives.Distance(rows.Slice(neuron * C, C), centres[part]);
        }

        Array.Sort(distances, pairs);
        int[] cluster = new int[count], room = new int[parts];
        Array.Fill(cluster, -1);
        Array.Fill(room, count / parts);
        foreach (int pair in pairs)
        {
            (int neuron, int part) = Math.DivRem(pair, parts);
            if (cluster[neuron] >= 0 || room[part] == 0)
                continue;
            cluster[neuron] = part;
            room[part]--;
        }

        return cluster;
    }

    /// <summary>Each centre to the mean of its cluster.</summary>
    private static void Move(ReadOnlySpan<float> rows, int[] cluster, float[][] centres)
    {
        int C = centres[0].Length, size = cluster.Length / centres.Length;
        foreach (float[] centre in centres)
            Array.Clear(centre);
        for (int neuron = 0; neuron < cluster.Length; neuron++)
        {
            float[] centre = centres[cluster[neuron]];
            TensorPrimitives.Add(centre, rows.Slice(neuron * C, C), centre);
        }

        foreach (float[] centre in centres)
            TensorPrimitives.Divide(centre, (float)size, centre);
    }
}
