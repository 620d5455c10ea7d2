using System.CommandLine;
using System.CommandLine.Parsing;
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

    private readonly Option<string?> tokenizer = Options.Text("--tokenizer", "char|byte|bpe:N|FILE",
        "How text becomes ids: one per character, one per byte, by a byte-pair tokenizer of N tokens that is trained on the text first, or"
        + " by that of a file: a tokenizer.json, or a folder that has one.");

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
    private readonly Option<bool> overwrite = Options.Flag("--overwrite", "Replace the run in the folder by a new one.");
    private readonly Option<bool> keepSchedule = Options.Flag("--keep-schedule",
        "With --resume and other --steps: keep the schedule that the run had, and after its end its last learning rate.");
    private readonly Option<bool> profile = Options.Flag("--profile", "Show at the end where the time of a step went, kernel by kernel.");
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        TrainCommand train = new();
        CommandWithExamples command = new("train", "Train a model and keep it in a folder. Ctrl-C stops it after saving.", Examples)
        {
            WorksWithoutOutput = true,
        };
        train.config.AddTo(command);
        Option[] own =
        [
            train.data, train.tokenizer, train.steps, train.stopAt, train.seed, train.folder, train.init, train.resume, train.keepSchedule,
            train.overwrite, train.profile,
        ];
        foreach (Option option in own)
            command.Add(option);
        train.device.AddTo(command);
        command.Add(train.json);
        command.Validators.Add(train.Check);
        command.SetAction(train.Run);
        return command;
    }

    /// <summary>Options that exclude each other.</summary>
    private void Check(CommandResult result)
    {
        bool resumes = result.GetValue(resume);
        if (resumes && result.GetValue(overwrite))
            result.AddError("--resume and --overwrite exclude each other; name one");
        if (result.GetValue(keepSchedule) && !resumes)
            result.AddError("--keep-schedule is for a run that goes on; it needs --resume");
        if (result.GetResult(init) is null)
            return;
        if (resumes)
            result.AddError("--init begins a new run and --resume goes on with one; name one");
        if (config.Named(result))
            result.AddError("--init takes the configuration of its run, which excludes --preset and --config; change keys with --set");
    }

    private int Run(ParseResult parsed)
    {
        using Interrupts interrupts = new();
        TrainingRequest request = Read(parsed);
        CleanWriter output = (CleanWriter)parsed.InvocationConfiguration.Output;
        TextWriter error = parsed.InvocationConfiguration.Error;
        bool quiet = parsed.GetValue(json);
        (int exitCode, bool isSaved) = Run(request, output, quiet ? error : output, quiet, interrupts);
        if (output.Guard.Failure is not { ReaderGone: false } failure)
            return exitCode;
        string saved = isSaved ? $"; the run is saved in {Words.OneLine(request.Folder)}" : "";
        error.WriteLine($"tinymoe: {failure.Message}{saved}");
        return exitCode == Cli.Done ? Cli.Failed : exitCode;
    }

    /// <summary>
    /// Trains, and says at the end how it went; what a person has to know is told to <paramref name="person"/>. Returns the exit code, and
    /// whether there is a run to go on with.
    /// </summary>
    private static (int ExitCode, bool IsSaved) Run(
        TrainingRequest request, TextWriter output, TextWriter person, bool quiet, Interrupts interrupts)
    {
        Stopwatch clock = Stopwatch.StartNew();
        if (Train(request, output, quiet, interrupts.Token) is not (TrainingResult result, var counted))
        {
            TrainSummary.NothingDone(person, request);
            return (interrupts.ExitCode, request.Resume);
        }

        if (quiet)
            WriteJson(output, result, counted);
        else if (request.Profile)
            ProfileTable.Write(Consoles.For(output), counted);
        if (!result.Finished)
            TrainSummary.Stopped(person, request, result);
        else if (!quiet)
            TrainSummary.Finished(output, request, result, TextGeneration.Sample(request, interrupts.Token), clock.Elapsed);
        return (interrupts.Token.IsCancellationRequested && !result.Finished ? interrupts.ExitCode : Cli.Done, true);
    }

    /// <summary>Trains; null where that was stopped before there was anything to save.</summary>
    private static TrainingOutcome? Train(TrainingRequest request, TextWriter output, bool quiet, CancellationToken stop)
    {
        try
        {
            return Progress.Watch(output, quiet, listener => Training.Run(request, listener, stop));
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private static void WriteJson(TextWriter output, TrainingResult result, TrainingProfile? counted)
    {
        output.WriteLine(Printable.Json(MetricsJson.Line(result.Memory)));
        if (counted is not null)
            output.WriteLine(Printable.Json(MetricsJson.Line(counted)));
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
        return Training.Prepare(choice, parsed.GetValue(folder), parsed.GetValue(resume), parsed.GetValue(overwrite)) with
        {
            StopAt = parsed.GetValue(stopAt),
            Profile = parsed.GetValue(profile),
            Device = device.Read(parsed),
        };
    }
}
