namespace TinyMoE.Inspect;

/// <summary>The counts of one layer's E experts over a trace.</summary>
internal sealed class SummarisedLayer
{
    /// <summary>Parts of a window whose tokens are counted apart.</summary>
    public const int Positions = 8;

    private const int MostIds = 10, MostContexts = 5, Around = 12;
    private const int FewestOfAnId = 3; // of less, "more often than chance" is chance

    private readonly Dictionary<int, int[]> byId = [], firstById = []; // (E) by id: choices, first choices
    private readonly long[]? together;                           // (E, E)
    private double gateEntropy;
    private long scored;

    public SummarisedLayer(int experts, int domains)
    {
        Experts = experts;
        (Tokens, Served, Gates, Norms) = (new long[experts], new long[experts], new double[experts], new double[experts]);
        (ByKind, ByPosition, ByDomain) = (Tables(TokenKinds.Count), Tables(Positions), Tables(domains));
        Contexts = [.. Enumerable.Range(0, experts).Select(_ => new List<SummarisedContext>())];
        together = experts <= RoutingStatistics.MostExpertsTogether ? new long[experts * experts] : null;

        long[][] Tables(int columns) => [.. Enumerable.Range(0, experts).Select(_ => new long[columns])];
    }

    /// <summary>Experts, E.</summary>
    public int Experts { get; }

    /// <summary>(E), tokens that chose an expert, and choices that it served.</summary>
    public long[] Tokens { get; }

    /// <summary>(E), choices that an expert served.</summary>
    public long[] Served { get; }

    /// <summary>(E), the sum of the gates.</summary>
    public double[] Gates { get; }

    /// <summary>(E), the sum of the norms of outputs.</summary>
    public double[] Norms { get; }

    /// <summary>(E, kinds), tokens by kind.</summary>
    public long[][] ByKind { get; }

    /// <summary>(E, eighths), tokens by position.</summary>
    public long[][] ByPosition { get; }

    /// <summary>(E, domains), tokens by domain.</summary>
    public long[][] ByDomain { get; }

    /// <summary>Where each expert had its largest gates, the largest first, the earlier first among equals.</summary>
    public IReadOnlyList<List<SummarisedContext>> Contexts { get; }

    /// <summary>Mean entropy of a token's gates divided by their sum, in nats.</summary>
    public float GateEntropy => scored == 0 ? 0f : (float)(gateEntropy / scored);

    /// <summary>(E, E): the share of the tokens of an expert that chose the other as well.</summary>
    public float[][]? CoActivation => together?.Chunk(Experts)
        .Select((row, e) => row.Select(count => Tokens[e] == 0 ? 0f : (float)((double)count / Tokens[e])).ToArray()).ToArray();

    /// <summary>Adds what token n of a batch chose.</summary>
    public void Add(TraceBatch batch, TraceLayer layer, int n, SummarisedToken token)
    {
        int first = layer.Offsets[n], end = layer.Offsets[n + 1];
        if (first == end)
            return;
        int[] ofId = CountsOf(byId, token.Id);
        CountsOf(firstById, token.Id)[layer.Expert[Largest(layer.Gate, first, end)]]++;
        double sum = 0;
        for (int i = first; i < end; i++)
        {
            int e = layer.Expert[i];
            Tokens[e]++;
            ByKind[e][(int)token.Kind]++;
            ByPosition[e][token.Eighth]++;
            if (token.Domain >= 0)
                ByDomain[e][token.Domain]++;
            ofId[e]++;
            sum += layer.Gate[i];
            for (int j = first; together is not null && j < end; j++)
                together[e * Experts + layer.Expert[j]]++;
            if (!layer.Served[i])
                continue;
            (Served[e], Gates[e], Norms[e]) = (Served[e] + 1, Gates[e] + layer.Gate[i], Norms[e] + layer.OutputNorm[i]);
            AddContext(Contexts[e], batch, n, layer.Gate[i]);
        }

        if (!(sum > 0))
            return;
        scored++;
        for (int i = first; i < end; i++)
        {
            double share = layer.Gate[i] / sum;
            gateEntropy -= share > 0 ? share * Math.Log(share) : 0;
        }
    }

    /// <summary>
    /// The ids that an expert has more often than the text, n_e times as often: the largest n·log(n_e) of n tokens first. ids: counts in
    /// the text of so many tokens.
    /// </summary>
    public IEnumerable<(int Id, long Count, double Lift)> LivesOn(int e, IReadOnlyDictionary<int, long> ids, long tokens) =>
        byId.Where(each => each.Value[e] >= FewestOfAnId)
            .Select(each => (Id: each.Key, Count: (long)each.Value[e],
                Lift: (double)each.Value[e] / Tokens[e] / ((double)ids[each.Key] / tokens)))
            .Where(each => each.Lift > 1)
            .OrderByDescending(each => each.Count * Math.Log(each.Lift)).ThenBy(each => each.Id)
            .Take(MostIds);

    /// <summary>
    /// Mean over tokens of the largest share that an expert has of their id, by first choices; of ids that come twice at least.
    /// </summary>
    public float? VocabularySpecialisation(IReadOnlyDictionary<int, long> ids)
    {
        long largest = 0, all = 0;
        foreach ((int id, int[] counts) in firstById)
        {
            if (ids[id] >= 2)
                (largest, all) = (largest + counts.Max(), all + counts.Sum());
        }

        return all == 0 ? null : (float)((double)largest / all);
    }

    private int[] CountsOf(Dictionary<int, int[]> table, int id)
    {
        if (!table.TryGetValue(id, out int[]? counts))
            table[id] = counts = new int[Experts];
        return counts;
    }

    private static int Largest(float[] gates, int first, int end)
    {
        int largest = first;
        for (int i = first + 1; i < end; i++)
        {
            if (gates[i] > gates[largest])
                largest = i;
        }

        return largest;
    }

    private static void AddContext(List<SummarisedContext> contexts, TraceBatch batch, int n, float gate)
    {
        if (contexts.Count == MostContexts && !(gate > contexts[^1].Gate))
            return;
        int start = n / batch.T * batch.T, from = Math.Max(start, n - Around), end = Math.Min(start + batch.T, n + Around + 1);
        SummarisedContext context = new(batch.FirstWindow + n / batch.T, n - start, gate, batch.Ids[from..end], n - from);
        int place = contexts.FindIndex(other => gate > other.Gate);
        contexts.Insert(place < 0 ? contexts.Count : place, context);
        if (contexts.Count > MostContexts)
            contexts.RemoveAt(MostContexts);
    }
}
