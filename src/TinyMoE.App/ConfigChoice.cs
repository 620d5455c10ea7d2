using TinyMoE.Configuration;

namespace TinyMoE.App;

/// <summary>The choice of a configuration: a preset or a file to begin with, and what to change in it.</summary>
public sealed record ConfigChoice
{
    /// <summary>The preset to begin with; null: <see cref="Presets.Default"/>, or the own configuration of a run that goes on.</summary>
    public string? Preset { get; init; }

    /// <summary>The JSON file to begin with, instead of a preset.</summary>
    public string? File { get; init; }

    /// <summary>
    /// The run that a new one begins with, its configuration, weights and tokenizer, instead of a preset; null: none.
    /// </summary>
    public string? Init { get; init; }

    /// <summary>Keys and their new values, applied in order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Changes { get; init; } = [];

    /// <summary>Steps to train in all; null: those of the configuration.</summary>
    public int? Steps { get; init; }

    /// <summary>Whether a run that goes on keeps its schedule, whatever <see cref="Steps"/> is now.</summary>
    public bool KeepSchedule { get; init; }

    /// <summary>The seed; null: that of the configuration.</summary>
    public ulong? Seed { get; init; }

    /// <summary>The texts to learn; null: those of the configuration.</summary>
    public IReadOnlyList<string>? Sources { get; init; }

    /// <summary>
    /// How text becomes ids: <c>char</c>, <c>byte</c>, <c>bpe:N</c>, which is trained to a vocabulary of N, <c>bpe</c>, or the file of a
    /// tokenizer, or a folder that has one; null: as the configuration says.
    /// </summary>
    public string? Tokenizer { get; init; }

    /// <summary>
    /// What to call a run of this configuration: the file's name without its ending, that of the run it begins with, or the preset's.
    /// </summary>
    public string Name => File is { } file ? Path.GetFileNameWithoutExtension(file)
        : Init is { } run ? Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(run)))
        : Preset ?? Presets.Default;

    /// <summary>
    /// The configuration with its changes, not validated yet; where neither a preset nor a file is named, it begins with
    /// <paramref name="otherwise"/>, or with the default preset.
    /// </summary>
    /// <exception cref="TinyMoEException">There is no such preset, file or key, or a value does not fit its key.</exception>
    public RunConfig Resolve(RunConfig? otherwise = null)
    {
        RunConfig start = File is { } file ? ConfigJson.Load(file)
            : Preset is { } preset ? Presets.Get(preset)
            : otherwise ?? Presets.Get(Presets.Default);
        ConfigKeys.RequireOneName(Changes.Select(change => change.Key));
        RunConfig config = Changes.Aggregate(start, (changed, change) => changed.With(change.Key, change.Value));
        config = config with
        {
            Train = config.Train with { Steps = Steps ?? config.Train.Steps, Seed = Seed ?? config.Train.Seed },
            Data = config.Data with { Sources = Sources ?? config.Data.Sources },
        };
        if (KeepSchedule && otherwise is not null)
            config = WithScheduleOf(otherwise.Train, config);
        return Tokenizer is { } tokenizer ? config with { Data = TokenizerChoice.Apply(config.Data, tokenizer) } : config;
    }

    private static RunConfig WithScheduleOf(TrainConfig before, RunConfig config)
    {
        int steps = before.ScheduleStepsOrAll;
        if (config.Train.ScheduleStepsOrAll == steps)
            return config;
        if (config.Train.ScheduleSteps != before.ScheduleSteps)
        {
            throw new RequestException(
                $"{Setting.KeepSchedule} and train.schedule_steps={config.Train.ScheduleSteps} contradict each other; leave one out");
        }

        return config with { Train = config.Train with { ScheduleSteps = steps } };
    }
}
