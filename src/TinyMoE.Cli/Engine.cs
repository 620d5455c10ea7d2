using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Cli;

/// <summary>What <c>train</c> was asked for. StopAt null: go on to the last step.</summary>
internal sealed record TrainOptions(RunConfig Config, string Folder, bool Resume, int? StopAt, DeviceChoice Device, bool Profile);

/// <summary>How <c>train</c> ended. Profile null: not asked for, or too few steps to measure.</summary>
internal sealed record TrainOutcome(TrainingResult Result, TrainingProfile? Profile);

/// <summary>What <c>eval</c> was asked for. Data null: the run's own text; Labels null: of the kind that training had; Windows null: all of the held-out part.</summary>
internal sealed record EvalOptions(string Run, IReadOnlyList<string>? Data, string? Labels, int? Windows, DeviceChoice Device);

/// <summary>What <c>eval</c> found.</summary>
internal sealed record EvalResult(EvalReport Report, IReadOnlyList<RoutingReport> Routing, int Windows, IReadOnlyList<NoteReport> Notes);

/// <summary>What <c>generate</c> was asked for. Label null: none, for all routers but task.</summary>
internal sealed record GenerateOptions(string Run, string Prompt, int Tokens, SamplingOptions Sampling, DeviceChoice Device, string? Label = null);

/// <summary>Where the command calls the library.</summary>
internal static class Engine
{
    private const int SampleTokens = 400;

    /// <summary>The configuration of a run that training goes on with.</summary>
    public static RunConfig ConfigOf(RunFolder folder) => folder.HasRun
        ? Checkpoint.LoadConfig(folder.Last)
        : throw new TinyMoEException($"{folder.Root} has no run to resume; train without --resume first");

    /// <summary>The configuration with what only its text tells: the tokenizer's vocabulary, and with router task the number of labels.</summary>
    public static RunConfig WithText(RunConfig config)
    {
        bool needsLabels = config.Moe is { Experts: > 0, Router: RouterKind.Task, Tasks: 0 };
        if (!needsLabels && config.Model.Vocabulary > 0)
            return config;
        int vocabulary = TokenizerType.Of(config.Data.Tokenizer).Vocabulary; // 0: the text tells
        return !needsLabels && vocabulary > 0 ? config.WithVocabulary(vocabulary) : Corpus.Load(config.Data).Complete(config);
    }

    /// <summary>Trains, or goes on training; on <paramref name="stop"/> finishes the step, saves, and returns.</summary>
    public static TrainOutcome Train(TrainOptions options, ITrainingListener listener, CancellationToken stop)
    {
        RunFolder folder = new(options.Folder);
        Corpus corpus = Corpus.Load(options.Config.Data, options.Resume ? Checkpoint.LoadTokenizer(folder.Last) : null);
        using Backend device = options.Device.Open();
        ProfilingBackend? profiling = options.Profile ? new ProfilingBackend(device) : null;
        TrainingProfiler? profiler = profiling is null ? null : new TrainingProfiler(profiling);
        using Trainer trainer = new(profiling ?? device, options.Config, corpus, folder, listener, options.Resume) { Profiler = profiler };
        TrainingResult result = trainer.Run(options.StopAt ?? int.MaxValue, stop);
        return new TrainOutcome(result, profiler?.Profile);
    }

    /// <summary>A text by the best model of a run.</summary>
    public static string Sample(TrainOptions options)
    {
        System.Text.StringBuilder text = new();
        Generate(new GenerateOptions(options.Folder, "", SampleTokens, new SamplingOptions { Temperature = 0.6f }, options.Device, SampleLabel(options)), piece => text.Append(piece), CancellationToken.None);
        return text.ToString().Trim();
    }

    /// <summary>A label to write by: the first, where the router needs one; else null.</summary>
    public static string? SampleLabel(TrainOptions options) =>
        options.Config.Moe is { Experts: > 0, Router: RouterKind.Task } ? Checkpoint.LoadLabels(RunFolder.FindCheckpoint(options.Folder))?[0] : null;

    /// <summary>What a person should know of a run's configuration.</summary>
    public static IReadOnlyList<string> NotesOf(string run) => ConfigNotes.Of(Checkpoint.LoadConfig(RunFolder.FindCheckpoint(run)));

    /// <summary>Evaluates the best model of a run on the first windows of the held-out text.</summary>
    public static EvalResult Eval(EvalOptions options)
    {
        string checkpoint = RunFolder.FindCheckpoint(options.Run);
        RunConfig config = Checkpoint.LoadConfig(checkpoint);
        DataConfig data = (options.Labels is null ? config : config.With("data.labels", options.Labels)).Data;
        data = options.Data is null ? data : data with { Sources = options.Data };
        Corpus corpus = Corpus.Load(data, Checkpoint.LoadTokenizer(checkpoint), Checkpoint.LoadLabels(checkpoint));
        corpus.CheckContext(config.Model.Context);
        using Backend backend = options.Device.Open();
        using Decoder model = Checkpoint.LoadModel(checkpoint, backend);
        int all = corpus.ValidationWindows(config.Model.Context);
        int[] windows = [.. Enumerable.Range(0, Math.Min(options.Windows ?? all, all))];
        EvaluationResult result = Evaluation.Run(
            backend, model, corpus.ForEvaluation(config.Model.Context, windows), Checkpoint.LoadStep(checkpoint));
        IEnumerable<string> notes = ConfigNotes.Of(config);
        if (!double.IsFinite(result.Report.Loss))
            notes = notes.Append("the loss is not finite: the model's weights are damaged, or its training went wrong");
        return new EvalResult(result.Report, result.Routing, windows.Length, [.. notes.Select(note => new NoteReport(0, note))]);
    }

    /// <summary>Writes text a piece at a time, the prompt not included.</summary>
    public static void Generate(GenerateOptions options, Action<string> onText, CancellationToken stop)
    {
        string checkpoint = RunFolder.FindCheckpoint(options.Run);
        Tokenizer tokenizer = Checkpoint.LoadTokenizer(checkpoint);
        using Backend backend = options.Device.Open();
        using Decoder model = Checkpoint.LoadModel(checkpoint, backend);
        int[] start = options.Prompt.Length > 0 ? tokenizer.Encode(options.Prompt) : tokenizer.Start;
        TokenDecoder decoder = tokenizer.NewDecoder();
        Generator generator = new(backend, model) { Label = LabelOf(options, checkpoint, model.Config.Moe) };
        foreach (int id in generator.Generate(start, options.Tokens, options.Sampling))
        {
            onText(decoder.Push(id));
            if (stop.IsCancellationRequested)
                break;
        }

        onText(decoder.Flush());
    }

    /// <summary>The label to write by, which router task needs and no other knows.</summary>
    private static int? LabelOf(GenerateOptions options, string checkpoint, MoeConfig moe)
    {
        bool needed = moe is { Experts: > 0, Router: RouterKind.Task };
        if (options.Label is null && !needed)
            return null;
        if (!needed)
            throw new TinyMoEException($"--label is for models of moe.router=task, and {options.Run} holds none; leave it out");
        LabelSet labels = Checkpoint.LoadLabels(checkpoint)
            ?? throw new TinyMoEException($"{checkpoint} has no labels.json, which moe.router=task needs; the checkpoint is damaged, use another");
        return options.Label is { } label
            ? labels.Find(label)
            : throw new TinyMoEException($"moe.router=task writes by a label; name one by --label: {string.Join(", ", labels)}");
    }
}
