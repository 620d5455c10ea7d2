using System.CommandLine;
using System.Diagnostics;
using Spectre.Console;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe ablate</c>: what is lost without each expert of a model, one at a time.</summary>
internal sealed class AblateCommand
{
    private const string Examples = """
        tinymoe ablate --run runs/mixtral-tiny --windows 64              on text that was held out in training
        tinymoe ablate --model OLMoE-1B-7B --data page.txt --json        a line per expert, and per domain
        tinymoe eval --run runs/mixtral-tiny --ablate 1:3,1:5            without several at once
        """;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    private readonly ModelOptions model = new();
    private readonly MeasuredTextOptions text = new();
    private readonly DeviceOptions device = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        AblateCommand ablate = new();
        CommandWithExamples command = new("ablate", "Measure what is lost without each expert, one at a time.", Examples);
        ablate.model.AddTo(command);
        ablate.text.AddTo(command);
        ablate.device.AddTo(command);
        command.Add(ablate.json);
        command.SetAction(ablate.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        EvaluationRequest request = text.Read(parsed, model.Read(parsed), device.Read(parsed));
        using Interrupts interrupts = new();
        TextWriter output = parsed.InvocationConfiguration.Output;
        IAnsiConsole console = Consoles.For(output);
        bool isJson = parsed.GetValue(json), isLive = !isJson && console.Profile.Capabilities.Ansi;
        AblationResult result;
        try
        {
            result = Ablating.Run(request, isLive ? Progress(console) : null, interrupts.Token);
        }
        catch (OperationCanceledException)
        {
            return interrupts.ExitCode;
        }
        finally
        {
            if (isLive)
                console.EraseLine();
        }

        if (isJson)
            WriteJson(output, result);
        else
            Write(console, result);
        return Cli.Done;
    }

    private static void Write(IAnsiConsole console, AblationResult result)
    {
        foreach (NoteReport note in result.Notes)
            console.WriteLine(Words.Note(note.Text));
        console.WriteLine(FormattableString.Invariant($"{Words.Of(result.Measured)}: loss {result.Report.Whole.Mean:F4} with all experts"));
        AblationTable.Write(console, result.Report);
    }

    private static void WriteJson(TextWriter output, AblationResult result)
    {
        foreach (NoteReport note in result.Notes)
            output.WriteLine(Printable.Json(MetricsJson.Line(note)));
        foreach (string line in MetricsJson.Lines(result.Report, result.Measured.Windows, result.Measured.Of, result.Measured.HeldOut,
            result.Measured.Sources))
        {
            output.WriteLine(Printable.Json(line));
        }
    }

    /// <summary>One line that is redrawn in place, a few times per second.</summary>
    private static Action<int, int> Progress(IAnsiConsole console)
    {
        Stopwatch clock = Stopwatch.StartNew(), drawn = new();
        return (made, all) =>
        {
            if (drawn.IsRunning && drawn.Elapsed < Pause)
                return;
            console.EraseLine();
            console.Write(new Text($"{100L * made / all}%  {Words.Of(clock.Elapsed / made * (all - made))} left"));
            drawn.Restart();
        };
    }
}
