using System.CommandLine;
using System.Diagnostics;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe train</c>: trains a model and shows how it goes.</summary>
internal sealed class TrainCommand
{
    private const string Examples = """
        tinymoe train                                        the default model on .NET's documentation, into runs/mixtral-tiny
        tinymoe train --preset nano --data poems.txt         a dense model on a text of yours
        tinymoe train --set moe.experts=16 --out runs/16     change the model, keep the run elsewhere
        tinymoe train --resume                               go on where Ctrl-C stopped it
        tinymoe train --init runs/a --data new.txt --out b   begin with the weights of a run, on another text
        tinymoe train --device cuda                          on an NVIDIA card
        tinymoe train --preset bench --steps 25 --profile    where the time of a step goes
        """;

    private readonly ConfigOptions config = new();
    private readonly Option<string[]> data = Options.Texts("--data", "PATH",
        $"Files, folders or globs of text to learn, or {DataConfig.SdkDocs}: the documentation in the installed .NET SDK;"
        + " name=PATH names one.");

    private readonly Option<string?> tokenizer = Options.OneOf("--tokenizer",
        "How text becomes ids: one per character, or one per byte.", "char", "byte");

    private readonly Option<int?> steps = Options.Whole("--steps", 1, "Steps to train in all.");
    private readonly Option<int?> stopAt = Options.Whole("--stop-at", 1,
        "Stop after step N as Ctrl-C would: save, so that --resume goes on to the last step.");
    private readonly Option<ulong?> seed = Options.Seed("Seed of every random number; the same seed gives the same model.");
    private readonly DeviceOptions device = new();
    private readonly Option<string?> folder = Options.Text("--out", "DIR", "Folder of the run; runs/PRESET if not said.");
    private readonly Option<string?> init = Options.Text("--init", "RUN",
        "Begin with the weights of a run, its tokenizer and its configuration, and with a new optimizer, at step 1; --data, --steps, --seed"
        + " and --set say what is to be otherwise.");

    private readonly Option<bool> resume = Options.Flag("--resume",
        "Go on with the run in the folder; with its own configuration if no other is named.");
    private readonly Option<bool> keepSchedule = Options.Flag("--keep-schedule",
        "With --resume and other --steps: keep the schedule that the run had, and after its end its last learning rate.");
    private readonly Option<bool> profile = Options.Flag("--profile", "Show at the end where the time of a step went, kernel by kernel.");
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        TrainCommand train = new();
        CommandWithExamples command = new("train", "Train a model and keep it in a folder. Ctrl-C stops it after saving.", Examples);
        train.config.AddTo(command);
        Option[] own =
        [
            train.data, train.tokenizer, train.steps, train.stopAt, train.seed, train.folder, train.init, train.resume, train.keepSchedule,
            train.profile,
        ];
        foreach (Option option in own)
            command.Add(option);
        train.device.AddTo(command);
        command.Add(train.json);
        command.Validators.Add(result =>
        {
            if (result.GetValue(train.keepSchedule) && !result.GetValue(train.resume))
                result.AddError("--keep-schedule is for a run that goes on; it needs --resume");
            if (result.GetResult(train.init) is null)
                return;
            if (result.GetValue(train.resume))
                result.AddError("--init begins a new run and --resume goes on with one; name one");
            if (train.config.Named(result))
                result.AddError("--init takes the configuration of its run, which excludes --preset and --config; change keys with --set");
        });
        command.SetAction(train.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        TrainingRequest request = Read(parsed);
        bool quiet = parsed.GetValue(json);
        TextWriter output = parsed.InvocationConfiguration.Output;
        using Interrupts interrupts = new();
        Stopwatch clock = Stopwatch.StartNew();
        (TrainingResult result, TrainingProfile? counted) =
            Progress.Watch(output, quiet, listener => Training.Run(request, listener, interrupts.Token));
        if (quiet)
            WriteJson(output, result, counted);
        else if (request.Profile)
            ProfileTable.Write(Consoles.For(output), counted);
        if (!result.Finished)
            TrainSummary.Stopped(quiet ? parsed.InvocationConfiguration.Error : output, request, result);
        else if (!quiet)
            TrainSummary.Finished(output, request, result, TextGeneration.Sample(request), clock.Elapsed);
        return interrupts.Token.IsCancellationRequested && !result.Finished ? Cli.Interrupted : Cli.Done;
    }

    private static void WriteJson(TextWriter output, TrainingResult result, TrainingProfile? counted)
    {
        output.WriteLine(MetricsJson.Line(result.Memory));
        if (counted is not null)
            output.WriteLine(MetricsJson.Line(counted));
    }

    private TrainingRequest Read(ParseResult parsed)
    {
        ConfigChoice choice = config.Read(parsed) with
        {
            Steps = parsed.GetValue(steps),
            Init = parsed.GetValue(init),
            KeepSchedule = parsed.GetValue(keepSchedule),
            Seed = parsed.GetValue(seed),
            Sources = parsed.GetResult(data) is null ? null : parsed.GetValue(data),
            Tokenizer = parsed.GetValue(tokenizer),
        };
        return Training.Prepare(choice, parsed.GetValue(folder), parsed.GetValue(resume)) with
        {
            StopAt = parsed.GetValue(stopAt),
            Profile = parsed.GetValue(profile),
            Device = device.Read(parsed),
        };
    }
}
