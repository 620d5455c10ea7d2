using System.Numerics.Tensors;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Surgery;

/// <summary>
/// The weights of a mixture that is made of dense models: what is not of experts is theirs, or their mean; expert e is made of the
/// feed-forward of model e mod their number; routers are drawn. Values are made as they are read: no more than a matrix per model is kept.
/// </summary>
internal sealed class UpcycledWeights : IWeightSource
{
    private const string Experts = ".moe.experts.", Shared = ".moe.shared_experts.", Dense = ".feed_forward.";

    private readonly UpcyclePlan plan;
    private readonly IReadOnlyList<IWeightSource> sources;
    private readonly Dictionary<string, Parameter> dense;
    private readonly Dictionary<string, int> places; // of the mixture's parameters
    private readonly Dictionary<(int Source, string Name), float[]> matrices = [];
    private readonly Dictionary<(int Layer, int Expert), Neurons> neurons = [];
    private readonly Dictionary<(int Layer, int Source), int[][]> parts = [];
    private (string Name, int Expert, float[] Values)? made;

    /// <summary>Of models whose weights stay open as long as this.</summary>
    public UpcycledWeights(UpcyclePlan plan, IReadOnlyList<IWeightSource> sources)
    {
        (this.plan, this.sources) = (plan, sources);
        dense = Decoder.Plan(plan.Dense).ToDictionary(parameter => parameter.Name);
        places = Decoder.Plan(plan.Config).Select((parameter, i) => (parameter.Name, i)).ToDictionary();
    }

    /// <inheritdoc/>
    public ElementType TypeOf(Parameter parameter) => sources.Count == 1 && dense.TryGetValue(parameter.Name, out Parameter? own)
        ? sources[0].TypeOf(own) : ElementType.Float32;

    /// <inheritdoc/>
    public nint AddressOf(Parameter parameter) => 0;

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<float> values)
    {
        if (dense.TryGetValue(parameter.Name, out Parameter? own))
            ReadMean(own, first, values);
        else if (parameter.Part is ModelPart.Experts)
            ReadExperts(parameter, first, values);
        else if (parameter.Name.Contains(Shared, StringComparison.Ordinal))
            MakeShared(parameter).AsSpan(first, values.Length).CopyTo(values);
        else
            Draw(parameter, first, values);
    }

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<ushort> values) => sources[0].Read(dense[parameter.Name], first, values);

    /// <inheritdoc/>
    public void Read(StateTensor state, Span<float> values)
    {
        if (state.Initial is { } initial)
            initial(plan.Options.Seed).CopyTo(values);
        else
            values.Clear();
    }

    private void ReadMean(Parameter parameter, int first, Span<float> values)
    {
        sources[0].Read(parameter, first, values);
        float[] other = new float[sources.Count > 1 ? values.Length : 0];
        foreach (IWeightSource source in sources.Skip(1))
        {
            source.Read(parameter, first, other);
            TensorPrimitives.Add(values, other, values);
        }

        if (sources.Count > 1)
            TensorPrimitives.Divide(values, (float)sources.Count, values);
    }

    private void ReadExperts(Parameter parameter, int first, Span<float> values)
    {
        int size = parameter.Count / plan.Config.Moe.Experts;
        for (int done = 0; done < values.Length;)
        {
            (int expert, int from) = Math.DivRem(first + done, size);
            int count = Math.Min(size - from, values.Length - done);
            if (made is not { } last || last.Name != parameter.Name || last.Expert != expert)
                made = last = (parameter.Name, expert, MakeExpert(parameter, expert));
            last.Values.AsSpan(from, count).CopyTo(values[done..]);
            done += count;
        }
    }

    /// <summary>A matrix or a bias of one expert: the rows, or of down the columns, of its neurons.</summary>
    private float[] MakeExpert(Parameter parameter, int expert)
    {
        int layer = LayerOf(parameter.Name), source = expert % sources.Count;
        Neurons own = NeuronsOf(layer, expert);
        string name = parameter.Name.Replace(Experts, Dense, StringComparison.Ordinal);
        bool isBias = name.EndsWith(".bias", StringComparison.Ordinal), isDown = name.Contains(".down.", StringComparison.Ordinal);
        float[] values = Take(source, name, own.Chosen);
        if (isDown)
            TensorPrimitives.Multiply(values, isBias ? plan.BiasScale : plan.Scale, values);
        if (isBias)
            return values;
        int place = Array.IndexOf(["gate", "up", "down"], name.Split('.')[^2]);
        Philox numbers = new(new RandomKey(plan.Options.Seed, RandomPurpose.Upcycling, (3 * expert) + place, layer));
        if (own.Redrawn.Length > 0)
            Redraw(values, own, isDown, numbers);
        if (plan.Options.Noise > 0)
            AddNoise(values, numbers);
        return values;
    }

    private float[] MakeShared(Parameter parameter) => Take(
        source: 0, parameter.Name.Replace(Shared, Dense, StringComparison.Ordinal), [.. Enumerable.Range(0, plan.SharedHidden)]);

    /// <summary>
    /// Of gate and up (F, C) the rows of some neurons, of down (C, F) the columns; of a bias (F) their values, of down's (C) all.
    /// </summary>
    private float[] Take(int source, string name, int[] chosen)
    {
        float[] all = Matrix(source, name);
        bool isDown = name.Contains(".down.", StringComparison.Ordinal), isBias = name.EndsWith(".bias", StringComparison.Ordinal);
        if (isBias)
            return isDown ? IsRouted(chosen) ? [.. all] : new float[all.Length] : [.. chosen.Select(j => all[j])];
        int C = plan.Dense.Model.Width, F = plan.Dense.Model.HiddenOrDefault;
        float[] values = new float[chosen.Length * C];
        for (int j = 0; j < chosen.Length; j++)
        {
            if (!isDown)
            {
                all.AsSpan(chosen[j] * C, C).CopyTo(values.AsSpan(j * C));
                continue;
            }

            for (int c = 0; c < C; c++)
                values[(c * chosen.Length) + j] = all[(c * F) + chosen[j]];
        }

        return values;
    }

    /// <summary>Whether neurons are of an expert: the bias behind them is counted there, and not in the shared expert too.</summary>
    private bool IsRouted(int[] chosen) => chosen[0] >= plan.SharedHidden;

    /// <summary>The neurons drawn anew get normal numbers of the mean and the deviation of what they had, matrix by matrix.</summary>
    private static void Redraw(float[] values, Neurons own, bool isDown, Philox numbers)
    {
        int hidden = own.Chosen.Length, C = values.Length / hidden;
        int[] places = [.. own.Redrawn.SelectMany(j => Enumerable.Range(0, C).Select(c => isDown ? (c * hidden) + j : (j * C) + c))];
        double mean = places.Average(i => (double)values[i]);
        double deviation = Math.Sqrt(places.Average(i => (values[i] - mean) * (values[i] - mean)));
        foreach (int i in places)
            values[i] = (float)(mean + (deviation * numbers.Normal(i)));
    }

    /// <summary>Numbers beyond those that neurons are drawn from.</summary>
    private void AddNoise(float[] values, Philox numbers)
    {
        for (int i = 0; i < values.Length; i++)
            values[i] += plan.Options.Noise * numbers.Normal(values.Length + (long)i);
    }

    /// <summary>Values of a router, or of a gate of the shared expert; shards of one copy have the same row.</summary>
    private void Draw(Parameter parameter, int first, Span<float> values)
    {
        float[] all = new float[parameter.Count];
        parameter.Initializer.Fill(all, 0, plan.Options.Seed, places[parameter.Name]);
        int rows = plan.Config.Moe.Experts, size = parameter.Count / rows;
        if (plan.Shards > 1 && parameter.Part is ModelPart.Router)
        {
            for (int e = rows - 1; e > 0; e--) // from the last: a row is read before its place is taken
                all.AsSpan(e / plan.Shards * size, size).CopyTo(all.AsSpan(e * size));
        }

        all.AsSpan(first, values.Length).CopyTo(values);
    }

    /// <summary>The neurons of an expert, by their places in the dense feed-forward, and which of them are drawn anew.</summary>
    private Neurons NeuronsOf(int layer, int expert)
    {
        if (!neurons.TryGetValue((layer, expert), out Neurons? own))
        {
            int[] routed = [.. Enumerable.Range(plan.SharedHidden, plan.RoutedHidden)];
            int shard = plan.Config.Moe.Hidden;
            int[] chosen = plan.Options.Method switch
            {
                UpcycleMethod.Granular => routed[(expert % plan.Shards * shard)..((expert % plan.Shards * shard) + shard)],
                UpcycleMethod.Partition => Part(layer, expert),
                _ => routed,
            };
            neurons[(layer, expert)] = own = new Neurons(chosen, Redrawn(layer, expert, chosen.Length));
        }

        return own;
    }

    private int[] Redrawn(int layer, int expert, int count) => plan.Options.Method != UpcycleMethod.Drop ? []
        : [.. NeuronParts.Shuffled(count, NeuronNumbers(layer, expert))[..(int)MathF.Round(plan.Options.DropRatio * count)].Order()];

    /// <summary>The part of an expert; those of a layer are cut together, of each model its own.</summary>
    private int[] Part(int layer, int expert)
    {
        int source = expert % sources.Count;
        if (!parts.TryGetValue((layer, source), out int[][]? all))
            parts[(layer, source)] = all = Cut(layer, source);
        return all[expert];
    }

    private int[][] Cut(int layer, int source)
    {
        int E = plan.Config.Moe.Experts, count = plan.RoutedHidden, C = plan.Dense.Model.Width;
        Philox numbers = NeuronNumbers(layer, expert: 0);
        string first = $"layers.{layer}{Dense}{(plan.Dense.Model.IsGated ? "gate" : "up")}.weight";
        int[][] cut = plan.Options.Partition == PartitionKind.Random ? NeuronParts.Random(count, E, numbers)
            : NeuronParts.Clusters(Matrix(source, first).AsSpan(plan.SharedHidden * C), count, E, numbers);
        return [.. cut.Select(part => part.Select(j => j + plan.SharedHidden).ToArray())];
    }

    /// <summary>A stream of its own: steps below 0 count what is no matrix.</summary>
    private Philox NeuronNumbers(int layer, int expert) =>
        new(new RandomKey(plan.Options.Seed, RandomPurpose.Upcycling, -1 - expert, layer));

    private float[] Matrix(int source, string name)
    {
        if (!matrices.TryGetValue((source, name), out float[]? values))
        {
            foreach ((int Source, string Name) other in matrices.Keys.Where(key => key.Source == source && key.Name != name).ToArray())
                matrices.Remove(other);
            Parameter parameter = dense[name];
            values = new float[parameter.Count];
            sources[source].Read(parameter, 0, values);
            matrices[(source, name)] = values;
        }

        return values;
    }

    private static int LayerOf(string name) => int.Parse(name.Split('.')[1], System.Globalization.CultureInfo.InvariantCulture);

    private sealed record Neurons(int[] Chosen, int[] Redrawn);
}
