using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Nn;
using TinyMoE.Train;

namespace TinyMoE.Cli;

/// <summary>What <c>train</c> was asked for. Threads 0: all cores; StopAt null: go on to the last step.</summary>
internal sealed record TrainOptions(RunConfig Config, string Folder, bool Resume, int? StopAt, int Threads, bool Profile);

/// <summary>How <c>train</c> ended. Profile null: not asked for, or too few steps to measure.</summary>
internal sealed record TrainOutcome(TrainingResult Result, TrainingProfile? Profile);

/// <summary>What <c>eval</c> was asked for. Data null: the run's own text; Labels null: of the kind that training had; Windows null: all of the held-out part.</summary>
internal sealed record EvalOptions(string Run, IReadOnlyList<string>? Data, string? Labels, int? Windows, int Threads);

/// <summary>What <c>eval</c> found.</summary>
internal sealed record EvalResult(EvalReport Report, IReadOnlyList<RoutingReport> Routing, int Windows);

/// <summary>What <c>generate</c> was asked for.</summary>
internal sealed record GenerateOptions(string Run, string Prompt, int Tokens, SamplingOptions Sampling, int Threads);

/// <summary>Where the command calls the library.</summary>
internal static class Engine
{
    private const int SampleTokens = 400;

    /// <summary>The configuration of a run that training goes on with.</summary>
    public static RunConfig ConfigOf(RunFolder folder) => folder.HasRun
        ? Checkpoint.LoadConfig(folder.Last)
        : throw new TinyMoEException($"{folder.Root} has no run to resume; train without --resume first");

    /// <summary>The configuration with the vocabulary that its tokenizer has on its text.</summary>
    public static RunConfig WithVocabulary(RunConfig config) => config switch
    {
        { Model.Vocabulary: > 0 } => config,
        { Data.Tokenizer: TokenizerKind.Byte } => config.WithVocabulary(new ByteTokenizer().Vocabulary),
        _ => config.WithVocabulary(Corpus.Load(config.Data).Tokenizer.Vocabulary),
    };

    /// <summary>Trains, or goes on training; on <paramref name="stop"/> finishes the step, saves, and returns.</summary>
    public static TrainOutcome Train(TrainOptions options, ITrainingListener listener, CancellationToken stop)
    {
        RunFolder folder = new(options.Folder);
        Corpus corpus = Corpus.Load(options.Config.Data, options.Resume ? Checkpoint.LoadTokenizer(folder.Last) : null);
        RunConfig config = options.Config.WithVocabulary(corpus.Tokenizer.Vocabulary);
        using CpuBackend cpu = new(options.Threads);
        ProfilingBackend? profiling = options.Profile ? new ProfilingBackend(cpu) : null;
        TrainingProfiler? profiler = profiling is null ? null : new TrainingProfiler(profiling);
        using Trainer trainer = new((Backend?)profiling ?? cpu, config, corpus, folder, listener, options.Resume) { Profiler = profiler };
        TrainingResult result = trainer.Run(options.StopAt ?? int.MaxValue, stop);
        return new TrainOutcome(result, profiler?.Profile);
    }

    /// <summary>A text by the best model of a run.</summary>
    public static string Sample(TrainOptions options)
    {
        System.Text.StringBuilder text = new();
        Generate(new GenerateOptions(options.Folder, "", SampleTokens, new SamplingOptions { Temperature = 0.6f }, options.Threads), piece => text.Append(piece), CancellationToken.None);
        return text.ToString().Trim();
    }

    /// <summary>Evaluates the best model of a run on the first windows of the held-out text.</summary>
    public static EvalResult Eval(EvalOptions options)
    {
        string checkpoint = RunFolder.FindCheckpoint(options.Run);
        RunConfig config = Checkpoint.LoadConfig(checkpoint);
        DataConfig data = (options.Labels is null ? config : config.With("data.labels", options.Labels)).Data;
        data = options.Data is null ? data : data with { Sources = options.Data };
        Corpus corpus = Corpus.Load(data, Checkpoint.LoadTokenizer(checkpoint), Checkpoint.LoadLabels(checkpoint));
        corpus.CheckContext(config.Model.Context);
        using CpuBackend backend = new(options.Threads);
        using Decoder model = Checkpoint.LoadModel(checkpoint, backend);
        int all = corpus.ValidationWindows(config.Model.Context);
        int[] windows = [.. Enumerable.Range(0, Math.Min(options.Windows ?? all, all))];
        (EvalReport report, IReadOnlyList<RoutingReport> routing) = Evaluation.Run(backend, model, corpus, windows, Checkpoint.LoadStep(checkpoint));
        return new EvalResult(report, routing, windows.Length);
    }

    /// <summary>Writes text a piece at a time, the prompt not included.</summary>
    public static void Generate(GenerateOptions options, Action<string> onText, CancellationToken stop)
    {
        string checkpoint = RunFolder.FindCheckpoint(options.Run);
        Tokenizer tokenizer = Checkpoint.LoadTokenizer(checkpoint);
        using CpuBackend backend = new(options.Threads);
        using Decoder model = Checkpoint.LoadModel(checkpoint, backend);
        int[] start = options.Prompt.Length > 0 ? tokenizer.Encode(options.Prompt) : tokenizer.Start;
        TokenDecoder decoder = tokenizer.NewDecoder();
        foreach (int id in new Generator(backend, model).Generate(start, options.Tokens, options.Sampling))
        {
            onText(decoder.Push(id));
            if (stop.IsCancellationRequested)
                break;
        }

        onText(decoder.Flush());
    }
}
