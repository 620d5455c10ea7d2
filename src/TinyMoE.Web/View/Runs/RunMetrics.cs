namespace TinyMoE.Web.View.Runs;

/// <summary>Something that was said of a run: a warning, a note or a problem.</summary>
/// <param name="Kind">"warning", "note" or "problem".</param>
/// <param name="Step">The step after which it holds.</param>
/// <param name="Layer">The layer that it is about; null: none.</param>
/// <param name="Text">What happened.</param>
internal sealed record RunEvent(string Kind, int Step, int? Layer, string Text);

/// <summary>How the router of one layer spread the tokens, evaluation after evaluation.</summary>
internal sealed class LayerMetrics
{
    public List<double> Steps { get; } = [];

    /// <summary>Shares of the choices by expert, (E) per evaluation.</summary>
    public List<float[]> Load { get; } = [];

    public List<double> Entropy { get; } = [];

    public List<double> MaxViolation { get; } = [];

    public List<double> Dead { get; } = [];

    public List<double> Changed { get; } = [];

    public List<double> Dropped { get; } = [];
}

/// <summary>What a run measured, by columns; what a line does not say is NaN.</summary>
internal sealed class RunMetrics
{
    private const int MostEvents = 500, MostLayers = 1024;

    /// <summary>Of training steps: the step, and one value each of the columns below.</summary>
    public List<double> Steps { get; } = [];

    public List<double> Loss { get; } = [];

    public List<double> BitsPerByte { get; } = [];

    public List<double> LearningRate { get; } = [];

    public List<double> GradientNorm { get; } = [];

    public List<double> TokensPerSecond { get; } = [];

    /// <summary>Seconds that the steps took, up to each, by their tokens per second; evaluations and saving are not in it.</summary>
    public List<double> Seconds { get; } = [];

    public List<double> EvaluationSteps { get; } = [];

    public List<double> EvaluationLoss { get; } = [];

    public List<double> EvaluationBitsPerByte { get; } = [];

    /// <summary>By layer, from 0; those without a router are not there.</summary>
    public SortedDictionary<int, LayerMetrics> Layers { get; } = [];

    /// <summary>What was said, the first of it.</summary>
    public List<RunEvent> Events { get; } = [];

    /// <summary>Lines that could not be read.</summary>
    public int BrokenLines { get; private set; }

    /// <summary>Whether the training said what it took of memory, as it does when it ends.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>Tokens per step, for the time of a step; NaN: not known.</summary>
    public double TokensPerStep { get; set; } = double.NaN;

    /// <summary>The last step, 0 before the first.</summary>
    public int LastStep => Steps.Count > 0 ? (int)Steps[^1] : 0;

    /// <summary>The seconds that the steps up to one took; NaN where their speed is not known.</summary>
    public double SecondsAt(double step)
    {
        if (double.IsNaN(TokensPerStep) || Seconds.Count == 0)
            return double.NaN;
        int at = Steps.BinarySearch(step);
        return Seconds[Math.Clamp(at < 0 ? ~at : at, 0, Seconds.Count - 1)];
    }

    /// <summary>Adds what one line of metrics.jsonl says.</summary>
    public void Add(ReadOnlySpan<byte> line)
    {
        if (MetricsLine.Read(line) is not { } said)
        {
            BrokenLines++;
            return;
        }

        switch (said.Kind)
        {
            case "train":
                AddStep(said);
                break;
            case "eval":
                EvaluationSteps.Add(said.Step);
                EvaluationLoss.Add(said["loss"]);
                EvaluationBitsPerByte.Add(said["bits_per_byte"]);
                break;
            case "routing" when said.Layer is >= 0 and < MostLayers && said.Load.Length > 0:
                AddLayer(said, said.Layer.Value);
                break;
            case "warning" or "note" or "problem" when Events.Count < MostEvents:
                Events.Add(new RunEvent(said.Kind, said.Step, said.Layer, Text.OneLine(said.Text ?? "")));
                break;
            case "memory":
                HasEnded = true;
                break;
            default:
                break; // a kind of later versions
        }
    }

    private void AddStep(MetricsLine said)
    {
        HasEnded = false; // it was resumed
        Steps.Add(said.Step);
        Loss.Add(said["loss"]);
        BitsPerByte.Add(said["bits_per_byte"]);
        LearningRate.Add(said["learning_rate"]);
        GradientNorm.Add(said["gradient_norm"]);
        double speed = said["tokens_per_second"], took = TokensPerStep / speed;
        TokensPerSecond.Add(speed);
        Seconds.Add((Seconds.Count > 0 ? Seconds[^1] : 0) + (double.IsFinite(took) ? took : 0));
    }

    private void AddLayer(MetricsLine said, int number)
    {
        if (!Layers.TryGetValue(number, out LayerMetrics? layer))
            Layers[number] = layer = new LayerMetrics();
        layer.Steps.Add(said.Step);
        layer.Load.Add(said.Load);
        layer.Entropy.Add(said["entropy"]);
        layer.MaxViolation.Add(said["max_violation"]);
        layer.Dead.Add(said["dead"]);
        layer.Changed.Add(said["changed"]);
        layer.Dropped.Add(said["dropped"]);
    }
}
