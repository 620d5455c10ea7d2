using TinyMoE.Configuration;
using TinyMoE.Train;

namespace TinyMoE.Cli;

/// <summary>What <c>train</c> was asked for. Threads 0: all cores; StopAt null: go on to the last step.</summary>
internal sealed record TrainOptions(RunConfig Config, string Folder, bool Resume, int? StopAt, int Threads);

/// <summary>How training ended. Finished: the last step was made; Best null: there was no evaluation; Sample: text of the best model, empty where not finished.</summary>
internal sealed record TrainResult(int Step, bool Finished, EvalReport? Best, string Sample);

/// <summary>What <c>eval</c> was asked for. Data null: the run's own held-out text; Windows null: as many as the run's configuration says; 0: all.</summary>
internal sealed record EvalOptions(string Run, IReadOnlyList<string>? Data, int? Windows, int Threads);

/// <summary>What <c>eval</c> found.</summary>
internal sealed record EvalResult(EvalReport Report, IReadOnlyList<RoutingReport> Routing);

/// <summary>What <c>generate</c> was asked for. Temperature 0: always the likeliest; TopK 0 and TopP 1: no limit.</summary>
internal sealed record GenerateOptions(string Run, string Prompt, int Tokens, float Temperature, int TopK, float TopP, ulong Seed, int Threads);

/// <summary>What a model is made of. Parts: names with their weights, in order; Step and Best: of a run, else null.</summary>
internal sealed record ModelInfo(
    long TotalParameters, long ActiveParameters, IReadOnlyList<(string Name, long Parameters)> Parts, int? Step, EvalReport? Best);

/// <summary>Where the command calls the library.</summary>
internal static class Engine
{
    /// <summary>The configuration that a run folder keeps.</summary>
    private const string ConfigFile = "config.json";

    /// <summary>Whether a folder holds a run.</summary>
    public static bool HoldsRun(string folder) => File.Exists(Path.Combine(folder, ConfigFile));

    /// <summary>The configuration of a run.</summary>
    public static RunConfig ConfigOf(string run) => HoldsRun(run)
        ? ConfigJson.Load(Path.Combine(run, ConfigFile))
        : throw new TinyMoEException($"{run} holds no run (no {ConfigFile}); make one with tinymoe train --out {run}");

    /// <summary>Trains, or goes on training; on <paramref name="stop"/> finishes the step, saves, and returns.</summary>
    public static TrainResult Train(TrainOptions options, ITrainingListener listener, CancellationToken stop) => throw NotWired(options.Config);

    /// <summary>Evaluates the best model of a run.</summary>
    public static EvalResult Eval(EvalOptions options, CancellationToken stop) => throw NotWired(ConfigOf(options.Run));

    /// <summary>Writes text a piece at a time, the prompt not included.</summary>
    public static void Generate(GenerateOptions options, Action<string> onText, CancellationToken stop) => throw NotWired(ConfigOf(options.Run));

    /// <summary>Counts the weights of a configuration, and of a run (null: none) says how far it is.</summary>
    public static ModelInfo Info(RunConfig config, string? run) => throw NotWired(config);

    private static TinyMoEException NotWired(RunConfig config) => new($"not wired yet ({config.Model.Layers} layers)");
}
