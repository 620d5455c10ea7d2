using Parquet;
using Parquet.Schema;
using TinyMoE.Inspect;

namespace TinyMoE.App;

/// <summary>
/// A trace as a table in Apache Parquet: one row per token, layer and choice, so that <c>groupby</c> does the rest; <c>docs/traces.md</c>
/// says what is in a column. What is of the token stands in each of its rows: repeated values cost little once they are compressed.
/// Rows gather in columns and leave as row groups of bounded size.
/// </summary>
internal sealed class TraceParquet : ITraceWriter
{
    /// <summary>Rows of a group, or a few more: some megabytes per group, and few enough groups that readers skip.</summary>
    private const int GroupRows = 1 << 17;

    private readonly ParquetWriter writer;
    private readonly TraceWords words;
    private readonly int probabilities;
    private readonly List<TraceColumn> columns = [];
    private readonly TraceColumn<int> window, position, id, rank, nextId, layer, slot, expert;
    private readonly TraceColumn<int>? head;                     // where a model has experts in attention: text costs time
    private readonly TraceColumn<ReadOnlyMemory<char>> token;
    private readonly TraceColumn<ReadOnlyMemory<char>>? label, part;
    private readonly TraceColumn<float> loss, nextLoss, gate, probability, outputNorm, logitNorm, entropy;
    private readonly TraceColumn<bool> served;
    private readonly (TraceColumn<ReadOnlyMemory<char>> Token, TraceColumn<int> Id, TraceColumn<float> Probability)[] predictions;
    private int rows;

    /// <summary>
    /// Begins the file. <paramref name="predictions"/> likeliest tokens to follow; rows for experts that were not chosen where they are
    /// among the <paramref name="probabilities"/> likeliest; the columns part and head where there are <paramref name="headExperts"/>.
    /// </summary>
    public TraceParquet(Stream stream, TraceWords words, int predictions, int probabilities, bool headExperts)
    {
        (this.words, this.probabilities) = (words, probabilities);
        window = Add<int>("window", canBeNull: false);
        position = Add<int>("position", canBeNull: false);
        id = Add<int>("id", canBeNull: false);
        token = AddText("token");
        if (words.HasLabels)
            label = AddText("label");
        loss = Add<float>("loss");
        rank = Add<int>("rank");
        nextId = Add<int>("next_id");
        nextLoss = Add<float>("next_loss");
        this.predictions =
        [
            .. Enumerable.Range(1, predictions).Select(i => (
                AddText($"prediction_{i}"), Add<int>($"prediction_{i}_id"), Add<float>($"prediction_{i}_probability"))),
        ];
        layer = Add<int>("layer");
        if (headExperts)
            (part, head) = (AddText("part"), Add<int>("head"));
        slot = Add<int>("slot");
        expert = Add<int>("expert");
        served = Add<bool>("served");
        gate = Add<float>("gate");
        probability = Add<float>("probability");
        outputNorm = Add<float>("output_norm");
        logitNorm = Add<float>("logit_norm");
        entropy = Add<float>("entropy");
        ParquetOptions options = new() { CompressionMethod = CompressionMethod.Snappy };
        writer = Wait(ParquetWriter.CreateAsync(new ParquetSchema([.. columns.Select(column => column.Field)]), stream, options));
    }

    /// <inheritdoc/>
    public long Rows { get; private set; }

    /// <inheritdoc/>
    public void Write(TraceBatch batch)
    {
        int[][] likeliest = [.. batch.Layers.Select(layer => TraceExperts.Likeliest(layer, probabilities))];
        for (int n = 0; n < batch.Ids.Length; n++)
        {
            if (!batch.Traced[n])
                continue;
            int before = layer.Count;
            for (int l = 0; l < batch.Layers.Count; l++)
                AddExperts(batch.Layers[l], n, likeliest[l]);
            foreach (TraceHeads heads in batch.Heads)
                AddHeads(heads, n);
            if (layer.Count == before)
                AddNoExpert();
            AddToken(batch, n, layer.Count - before);
            rows += layer.Count - before;
            if (rows >= GroupRows)
                WriteGroup();
        }
    }

    /// <inheritdoc/>
    public void Finish()
    {
        if (rows > 0 || Rows == 0)
            WriteGroup();
        Wait(writer.DisposeAsync().AsTask());
    }

    /// <summary>Nothing: what was not finished is thrown away with its stream.</summary>
    public void Dispose()
    {
    }

    private void AddToken(TraceBatch batch, int n, int times)
    {
        window.Add(batch.FirstWindow + n / batch.T, times);
        position.Add(n % batch.T, times);
        id.Add(batch.Ids[n], times);
        token.AddText(words.Token(batch.Ids[n]), times);
        label?.AddText(batch.Labels.Length == 0 ? null : words.Label(batch.Labels[n]), times);
        loss.AddNumber(batch.Losses[n], times);
        rank.AddUnless(batch.Ranks[n], none: 0, times);
        nextId.AddUnless(batch.NextIds[n], none: -1, times);
        nextLoss.AddNumber(batch.NextLosses[n], times);
        for (int i = 0; i < predictions.Length; i++)
        {
            int place = n * predictions.Length + i;
            predictions[i].Token.AddText(words.Token(batch.PredictedIds[place]), times);
            predictions[i].Id.Add(batch.PredictedIds[place], times);
            predictions[i].Probability.Add(batch.PredictedProbabilities[place], times);
        }
    }

    private void AddExperts(TraceLayer of, int n, int[] likeliest)
    {
        int first = of.Offsets[n], count = of.Offsets[n + 1] - first;
        ReadOnlySpan<int> chosen = of.Expert.AsSpan(first, count);
        for (int i = 0; i < count; i++)
        {
            slot.Add(i);
            AddExpert(of, n, chosen[i]);
            served.Add(of.Served[first + i]);
            gate.Add(of.Gate[first + i]);
            outputNorm.AddNumber(of.OutputNorm[first + i]);
        }

        int most = likeliest.Length / (of.Offsets.Length - 1);
        foreach (int other in likeliest.AsSpan(n * most, most))
        {
            if (chosen.Contains(other))
                continue;
            slot.AddNull();
            AddExpert(of, n, other);
            served.AddNull();
            gate.Add(0f);
            outputNorm.AddNull();
        }
    }

    private void AddExpert(TraceLayer of, int n, int e)
    {
        layer.Add(of.Layer);
        part?.AddText(TraceExperts.OfLayer);
        head?.AddNull();
        expert.Add(e);
        probability.AddNumber(of.Probabilities is { } p ? p[n * of.Experts + e] : float.NaN);
        logitNorm.AddNumber(of.LogitNorm?[n] ?? float.NaN);
        entropy.AddNumber(of.Entropy?[n] ?? float.NaN);
    }

    private void AddHeads(TraceHeads of, int n)
    {
        int count = of.Heads * of.Active;
        for (int i = 0; i < count; i++)
        {
            layer.Add(of.Layer);
            part?.AddText(of.OfOutputs ? TraceExperts.OfOutputs : TraceExperts.OfValues);
            head?.Add(i / of.Active);
            slot.Add(i % of.Active);
            expert.Add(of.Expert[n * count + i]);
            served.Add(true);
            gate.Add(of.Gate[n * count + i]);
            foreach (TraceColumn<float> column in (ReadOnlySpan<TraceColumn<float>>)[probability, outputNorm, logitNorm, entropy])
                column.AddNull();
        }
    }

    /// <summary>The row of a token that no expert was chosen for, so that it does not vanish.</summary>
    private void AddNoExpert()
    {
        foreach (TraceColumn column in columns.Skip(columns.IndexOf(layer)))
            column.AddNull();
    }

    private void WriteGroup()
    {
        using ParquetRowGroupWriter group = writer.CreateRowGroup();
        foreach (TraceColumn column in columns)
            Wait(column.WriteAsync(group));
        group.CompleteValidate();
        (Rows, rows) = (Rows + rows, 0);
    }

    private TraceColumn<T> Add<T>(string name, bool canBeNull = true)
        where T : struct => Add(new TraceColumn<T>(new DataField(name, typeof(T), canBeNull)));

    private TraceColumn<ReadOnlyMemory<char>> AddText(string name) => Add(new TraceColumn<ReadOnlyMemory<char>>(
        new DataField(name, typeof(string), isNullable: true)));

    private TraceColumn<T> Add<T>(TraceColumn<T> column)
        where T : struct
    {
        columns.Add(column);
        return column;
    }

    private static void Wait(Task task) => task.GetAwaiter().GetResult();

    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();
}
