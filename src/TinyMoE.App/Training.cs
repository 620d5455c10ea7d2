using TinyMoE.Backends;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to train. <see cref="Training.Prepare"/> makes one of an application's choices.</summary>
/// <param name="Config">The whole configuration.</param>
/// <param name="Folder">The folder of the run.</param>
public sealed record TrainingRequest(RunConfig Config, string Folder)
{
    /// <summary>Whether the run in the folder goes on, instead of a new one.</summary>
    public bool Resume { get; init; }

    /// <summary>Whether a new run may take the place of one that is in the folder.</summary>
    public bool Overwrite { get; init; }

    /// <summary>The run whose weights and tokenizer a new one begins with; null: none.</summary>
    public string? Init { get; init; }

    /// <summary>The step to stop and save after; null: the last.</summary>
    public int? StopAt { get; init; }

    /// <summary>Whether to measure where the time of a step goes, kernel by kernel.</summary>
    public bool Profile { get; init; }

    /// <summary>The device that computes.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>The end of a training: its result and its profile.</summary>
/// <param name="Result">The last step, the best loss, the memory.</param>
/// <param name="Profile">Where the time went; null: not asked for, or too few steps to measure.</param>
public sealed record TrainingOutcome(TrainingResult Result, TrainingProfile? Profile);

/// <summary>Trains a model and keeps it in a folder.</summary>
public static class Training
{
    /// <summary>
    /// Decides where a run lives (<paramref name="folder"/>; null: <c>runs/NAME</c>) and how it is configured: a new run by
    /// <paramref name="choice"/>, one that goes on by its own configuration where the choice names no other. One that begins with the
    /// weights of another has that one's configuration, with what the choice changes in it. Paths of texts are resolved from the working
    /// directory, so that the run finds its text from any other.
    /// </summary>
    /// <exception cref="TinyMoEException">The folder holds a run, or none to resume, or the configuration is wrong.</exception>
    public static TrainingRequest Prepare(ConfigChoice choice, string? folder = null, bool resume = false, bool overwrite = false)
    {
        if (choice.Init is { Length: 0 })
            throw new TinyMoEException("The name of a run's folder is empty; name one.");
        if (choice.Init is not null && (resume || choice.Preset is not null || choice.File is not null))
        {
            throw new RequestException(
                $"{Setting.Init} begins a new run with a run's configuration; leave out {Setting.Resume}, and a preset or file");
        }

        RunConfig? fresh = resume || choice.Init is not null ? null : choice.Resolve();
        string place = folder ?? Path.Combine("runs", choice.Name);
        RunFolder run = new(place);
        using FileLock held = run.Lock();
        CheckFolder(run, resume, overwrite);
        using Checkpoint? newest = resume ? run.OpenNewest() : null;
        RunConfig? saved = resume ? newest!.Config : choice.Init is { } init ? ConfigOf(init, place) : null;
        RunConfig config = fresh ?? choice.Resolve(saved);
        config.Validate();
        if (saved is null)
            Validation.CheckLearns(config.Moe);
        if (choice.Init is not null)
            InitialWeights.RequireFit(choice.Init, saved!, config);
        string file = config.Data.TokenizerFile;
        config = config with
        {
            Data = config.Data with
            {
                Sources = [.. config.Data.Sources.Select(Source.Absolute)],
                TokenizerFile = file.Length > 0 ? Path.GetFullPath(file) : file,
            },
        };
        return new TrainingRequest(config, place) { Resume = resume, Overwrite = overwrite, Init = choice.Init };
    }

    /// <summary>
    /// Trains, or goes on training, and tells <paramref name="listener"/> how it goes; on <paramref name="stop"/> finishes the step in
    /// hand, saves, and returns.
    /// </summary>
    /// <exception cref="TinyMoEException">The text, the folder or the device cannot be used, or the loss is not finite.</exception>
    public static TrainingOutcome Run(TrainingRequest request, ITrainingListener listener, CancellationToken stop = default)
    {
        RunFolder folder = new(request.Folder);
        using FileLock held = folder.Lock();
        CheckFolder(folder, request.Resume, request.Overwrite);
        request.Device.RequireToTrain(request.Config);
        // Beside the reading where a second thread is allowed; with one it would only come before.
        Task? compiled = request.Device.UsesSeveralThreads ? FirstStep.Prepare(request.Config) : null;
        Corpus corpus = LoadText(request, folder, stop);
        compiled?.Wait(CancellationToken.None); // so that it takes no core from the steps
        using Backend device = request.Device.OpenToTrain(request.Config);
        ProfilingBackend? profiling = request.Profile ? new ProfilingBackend(device) : null;
        TrainingProfiler? profiler = profiling is null ? null : new TrainingProfiler(profiling);
        using Trainer trainer = new(
            held, profiling ?? device, request.Config, corpus, folder, listener, request.Resume, objective: null, request.Overwrite,
            request.Init)
        {
            Profiler = profiler,
        };
        TrainingResult result = trainer.Run(request.StopAt ?? int.MaxValue, stop);
        return new TrainingOutcome(result, profiler?.Profile);
    }

    /// <summary>The text, in the tokens and the labels of the run that goes on or that a new one begins with.</summary>
    private static Corpus LoadText(TrainingRequest request, RunFolder folder, CancellationToken stop)
    {
        using OpenedModel? before = request.Resume ? OpenedModel.Of(folder.OpenNewest())
            : request.Init is { } init ? OpenedModel.Open(ModelFolder.Any(init)) : null;
        if (before is null)
            return Corpus.Load(request.Config.Data, stop: stop);
        Corpus corpus = Corpus.Load(request.Config.Data, before.LoadTokenizer(), before.LoadLabels(), stop);
        int tasks = request.Config.Moe.RoutesByLabel ? request.Config.Moe.Tasks : int.MaxValue;
        if (request.Init is not null && corpus.Labels.Count > tasks)
        {
            throw new TinyMoEException(
                $"moe.router=task of {request.Init} knows no label '{corpus.Labels[tasks]}'; known: "
                + $"{string.Join(", ", corpus.Labels.Take(tasks))}. Name the text as one of them, as in {corpus.Labels[0]}=PATH.");
        }

        return corpus;
    }

    /// <summary>The configuration of the run that a new one begins with; it has a schedule of its own.</summary>
    private static RunConfig ConfigOf(string init, string place)
    {
        ModelFolder beginning = ModelFolder.Any(init);
        string folder = beginning.IsRun ? RunFolder.FindCheckpoint(init) : init;
        if (Slashed(place).StartsWith(Slashed(folder), StringComparison.Ordinal))
            throw new RequestException($"{place} is in the model that the run begins with; name another folder by {Setting.Folder}");
        using OpenedModel model = OpenedModel.Open(beginning with { Path = folder });
        return model.Config with { Train = model.Config.Train with { ScheduleSteps = 0 } };

        static string Slashed(string path) =>
            Path.TrimEndingDirectorySeparator(Path.GetFullPath(path)) + Path.DirectorySeparatorChar;
    }

    /// <summary>A new run overwrites none, unless it is told to, and never what no run has written; one that goes on is there.</summary>
    internal static void CheckFolder(RunFolder folder, bool resume, bool overwrite)
    {
        string root = folder.Root;
        (FolderObstacle kind, string? name) = folder.FindObstacle(resume, overwrite);
        RequestException? problem = kind switch
        {
            FolderObstacle.None => null,
            FolderObstacle.Foreign => new RequestException(
                $"{root} holds {name}, which no run of tinymoe has written; name a new folder or an empty one by {Setting.Folder}"),
            FolderObstacle.NoRun => new RequestException($"{root} has no run to resume; train without {Setting.Resume} first"),
            FolderObstacle.Run => new RequestException(
                $"{root} holds a run already; {Setting.Resume} goes on, {Setting.Overwrite} replaces it, {Setting.Folder} names another"),
            _ => new RequestException($"{root} holds the metrics of a run whose checkpoints are gone; replace it by {Setting.Overwrite}"),
        };
        if (problem is not null)
            throw problem;
    }
}
