using TinyMoE.Backends;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to train. <see cref="Training.Prepare"/> makes one of an application's choices.</summary>
/// <param name="Config">The whole configuration.</param>
/// <param name="Folder">The folder of the run.</param>
public sealed record TrainingRequest(RunConfig Config, string Folder)
{
    /// <summary>Whether the run in the folder goes on, instead of a new one.</summary>
    public bool Resume { get; init; }

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
    /// <paramref name="choice"/>, one that goes on by its own configuration where the choice names no other. Paths of texts are resolved
    /// from the working directory, so that the run finds its text from any other.
    /// </summary>
    /// <exception cref="TinyMoEException">The folder holds a run, or none to resume, or the configuration is wrong.</exception>
    public static TrainingRequest Prepare(ConfigChoice choice, string? folder = null, bool resume = false)
    {
        string place = folder ?? Path.Combine("runs", choice.Name);
        RunFolder run = new(place);
        CheckFolder(run, resume);
        RunConfig config = choice.Resolve(resume ? Checkpoint.LoadConfig(run.Last) : null);
        config.Validate();
        config = config with { Data = config.Data with { Sources = [.. config.Data.Sources.Select(Source.Absolute)] } };
        return new TrainingRequest(config, place) { Resume = resume };
    }

    /// <summary>
    /// Trains, or goes on training, and tells <paramref name="listener"/> how it goes; on <paramref name="stop"/> finishes the step in
    /// hand, saves, and returns.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled before there was a step.</exception>
    /// <exception cref="TinyMoEException">The text, the folder or the device cannot be used, or the loss is not finite.</exception>
    public static TrainingOutcome Run(TrainingRequest request, ITrainingListener listener, CancellationToken stop = default)
    {
        RunFolder folder = new(request.Folder);
        CheckFolder(folder, request.Resume);
        Corpus corpus = Corpus.Load(request.Config.Data, request.Resume ? Checkpoint.LoadTokenizer(folder.Last) : null, stop: stop);
        using Backend device = request.Device.Open();
        ProfilingBackend? profiling = request.Profile ? new ProfilingBackend(device) : null;
        TrainingProfiler? profiler = profiling is null ? null : new TrainingProfiler(profiling);
        using Trainer trainer = new(profiling ?? device, request.Config, corpus, folder, listener, request.Resume)
        {
            Profiler = profiler,
        };
        TrainingResult result = trainer.Run(request.StopAt ?? int.MaxValue, stop);
        return new TrainingOutcome(result, profiler?.Profile);
    }

    /// <summary>A new run overwrites none, and one that goes on is there.</summary>
    private static void CheckFolder(RunFolder folder, bool resume)
    {
        if (resume && !folder.HasRun)
            throw new RequestException($"{folder.Root} has no run to resume; train without {Setting.Resume} first");
        if (!resume && folder.HasRun)
        {
            throw new RequestException(
                $"{folder.Root} holds a run already; go on with it by {Setting.Resume}, or name another folder by {Setting.Folder}");
        }
    }
}
