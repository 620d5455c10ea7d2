using System.CommandLine;
using System.Diagnostics;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe train</c></summary>
internal sealed class TrainCommand
{
    private const string Examples = """
        tinymoe train                                        the default model on .NET's documentation, into runs/mixtral-tiny
        tinymoe train --preset nano --data poems.txt         a dense model on a text of yours
        tinymoe train --set moe.experts=16 --out runs/16     change the model, keep the run elsewhere
        tinymoe train --resume                               go on where Ctrl-C stopped it
        tinymoe train --device cuda                          on an NVIDIA card
        tinymoe train --preset bench --steps 25 --profile    where the time of a step goes
        """;

    private readonly ConfigOptions config = new();
    private readonly Option<string[]> data = Options.Texts("--data", "PATH", $"Files, folders or globs of text to learn, or {DataConfig.SdkDocs}: the documentation in the installed .NET SDK; name=PATH names one.");
    private readonly Option<string?> tokenizer = Options.OneOf("--tokenizer", "How text becomes ids: one a character, or one a byte.", "char", "byte");
    private readonly Option<int?> steps = Options.Whole("--steps", 1, "Steps to train in all.");
    private readonly Option<int?> stopAt = Options.Whole("--stop-at", 1, "Stop after step N as Ctrl-C would: save, so that --resume goes on to the last step.");
    private readonly Option<ulong?> seed = Options.Seed("Seed of every random number; the same seed gives the same model.");
    private readonly DeviceOptions device = new();
    private readonly Option<string?> folder = Options.Text("--out", "DIR", "Folder of the run; runs/PRESET if not said.");
    private readonly Option<bool> resume = Options.Flag("--resume", "Go on with the run in the folder; with its own configuration if no other is named.");
    private readonly Option<bool> profile = Options.Flag("--profile", "Show at the end where the time of a step went, kernel by kernel.");
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        TrainCommand train = new();
        CommandWithExamples command = new("train", "Train a model and keep it in a folder. Ctrl-C stops it after saving.", Examples);
        train.config.AddTo(command);
        foreach (Option option in new Option[] { train.data, train.tokenizer, train.steps, train.stopAt, train.seed, train.folder, train.resume, train.profile })
            command.Add(option);
        train.device.AddTo(command);
        command.Add(train.json);
        command.SetAction(train.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        TrainOptions options = Read(parsed);
        bool quiet = parsed.GetValue(json);
        TextWriter output = parsed.InvocationConfiguration.Output;
        using Interrupts interrupts = new();
        Stopwatch clock = Stopwatch.StartNew();
        (TrainingResult result, TrainingProfile? counted) = Progress.Watch(output, quiet, listener => Engine.Train(options, listener, interrupts.Token));
        if (quiet)
            WriteJson(output, result, counted);
        else if (options.Profile)
            ProfileTable.Write(Consoles.For(output), counted);
        if (!result.Finished)
            TrainSummary.Stopped(quiet ? parsed.InvocationConfiguration.Error : output, options, result);
        else if (!quiet)
            TrainSummary.Finished(output, options, result, Engine.Sample(options), clock.Elapsed, Engine.SampleLabel(options));
        return interrupts.Token.IsCancellationRequested && !result.Finished ? Cli.Interrupted : Cli.Done;
    }

    private static void WriteJson(TextWriter output, TrainingResult result, TrainingProfile? counted)
    {
        output.WriteLine(MetricsJson.Line(result.Memory));
        if (counted is not null)
            output.WriteLine(MetricsJson.Line(counted));
    }

    private TrainOptions Read(ParseResult parsed)
    {
        string run = parsed.GetValue(folder) ?? Path.Combine("runs", config.Name(parsed));
        bool goOn = parsed.GetValue(resume);
        RunFolder kept = new(run);
        if (!goOn && kept.HasRun)
            throw new TinyMoEException($"{run} holds a run already; go on with it by --resume, or name another folder by --out");
        RunConfig own = config.Read(parsed, goOn ? Engine.ConfigOf(kept) : null);
        RunConfig full = Overlay(own, parsed);
        full.Validate();
        return new TrainOptions(full, run, goOn, parsed.GetValue(stopAt), device.Read(parsed), parsed.GetValue(profile));
    }

    /// <summary>The options that are short for a --set.</summary>
    private RunConfig Overlay(RunConfig start, ParseResult parsed)
    {
        RunConfig changed = start with
        {
            Train = start.Train with { Steps = parsed.GetValue(steps) ?? start.Train.Steps, Seed = parsed.GetValue(seed) ?? start.Train.Seed },
            Data = start.Data with { Sources = parsed.GetResult(data) is null ? start.Data.Sources : parsed.GetValue(data)! },
        };
        return parsed.GetValue(tokenizer) is { } kind ? changed.With("data.tokenizer", kind) : changed;
    }
}
