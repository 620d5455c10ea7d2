using TinyMoE.RandomNumbers;

namespace TinyMoE.Examples.UnderstandingMoe;

/// <summary>
/// Examples of two classes in K clusters (Chen et al. 2022, section 3.1). Each has four patches in random order: its cluster's feature with
/// the sign of its class, its cluster's centre, noise, and the feature of another cluster with a random sign. The same direction that tells
/// the class in one cluster misleads in the others.
/// </summary>
internal sealed class Dataset
{
    public const int Patches = 4;

    private Dataset(DataSetting setting) => (Count, Width) = (setting.Examples, Patches * setting.Patch);

    /// <summary>Examples, N.</summary>
    public int Count { get; }

    /// <summary>Length of an example, all its patches.</summary>
    public int Width { get; }

    /// <summary>The examples (N, Width).</summary>
    public float[] Values { get; private init; } = [];

    /// <summary>The sum of each example's patches (N, Patch): all that a linear map which is summed over patches sees.</summary>
    public float[] Sums { get; private init; } = [];

    /// <summary>Class of each example, 0 or 1 (N).</summary>
    public int[] Classes { get; private init; } = [];

    /// <summary>Cluster of each example; no model sees it (N).</summary>
    public int[] Clusters { get; private init; } = [];

    /// <summary>Examples to learn and examples to test, with the same directions.</summary>
    public static (Dataset Train, Dataset Test) Make(DataSetting setting, int seed)
    {
        float[][] directions = Orthonormal(2 * setting.Clusters, setting.Patch, Stream(seed, part: 2, Draw.Direction));
        return (Make(setting, seed, part: 0, directions), Make(setting, seed, part: 1, directions));
    }

    private static Dataset Make(DataSetting setting, int seed, int part, float[][] directions)
    {
        int N = setting.Examples, K = setting.Clusters, C = setting.Patch;
        Philox classes = Stream(seed, part, Draw.Class), clusters = Stream(seed, part, Draw.Cluster),
            others = Stream(seed, part, Draw.Other), signs = Stream(seed, part, Draw.Sign);
        Philox lengths = Stream(seed, part, Draw.Length), noise = Stream(seed, part, Draw.Noise), order = Stream(seed, part, Draw.Order);
        Dataset data =
            new(setting) { Values = new float[N * Patches * C], Sums = new float[N * C], Classes = new int[N], Clusters = new int[N] };
        for (int i = 0; i < N; i++)
        {
            int label = data.Classes[i] = classes.Below(2, i), cluster = data.Clusters[i] = clusters.Below(K, i);
            int other = (cluster + 1 + others.Below(K - 1, i)) % K;
            float feature = (label == 0 ? -1f : 1f) * Between(setting.Feature, lengths.Uniform(3L * i));
            float center = Between(setting.Center, lengths.Uniform(3L * i + 1));
            float distractor = (signs.Below(2, i) == 0 ? -1f : 1f) * Between(setting.Distractor, lengths.Uniform(3L * i + 2));

            int[] place = [.. Enumerable.Range(0, Patches).OrderBy(patch => order.Uniform((long)Patches * i + patch))];
            for (int c = 0; c < C; c++)
            {
                Span<float> patches = data.Values.AsSpan(i * Patches * C, Patches * C);
                patches[place[0] * C + c] = setting.Scale * feature * directions[cluster][c];
                patches[place[1] * C + c] = setting.Scale * center * directions[K + cluster][c];
                patches[place[2] * C + c] = setting.Scale * noise.Normal((long)i * C + c) / MathF.Sqrt(C);
                patches[place[3] * C + c] = setting.Scale * distractor * directions[other][c];
                for (int p = 0; p < Patches; p++)
                    data.Sums[i * C + c] += patches[p * C + c];
            }
        }

        return data;
    }

    /// <summary>Random directions by Gram and Schmidt.</summary>
    private static float[][] Orthonormal(int count, int length, Philox random)
    {
        float[][] directions = new float[count][];
        for (int i = 0; i < count; i++)
        {
            float[] direction = [.. Enumerable.Range(0, length).Select(c => random.Normal((long)i * length + c))];
            foreach (float[] earlier in directions.Take(i))
            {
                float along = Dot(direction, earlier);
                direction = [.. direction.Select((value, c) => value - along * earlier[c])];
            }

            float norm = MathF.Sqrt(Dot(direction, direction));
            directions[i] = [.. direction.Select(value => value / norm)];
        }

        return directions;
    }

    private static float Dot(float[] a, float[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static float Between(float[] range, float share) => range[0] + share * (range[1] - range[0]);

    private static Philox Stream(int seed, int part, Draw draw) => new(new RandomKey((ulong)seed, RandomPurpose.Other, part, (int)draw));

    private enum Draw
    {
        Direction, Class, Cluster, Other, Sign, Length, Noise, Order,
    }
}
