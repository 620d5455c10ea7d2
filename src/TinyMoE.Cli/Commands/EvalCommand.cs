using System.CommandLine;
using Spectre.Console;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe eval</c>: prints the loss and the routing of a trained model.</summary>
internal sealed class EvalCommand
{
    private const string Examples = """
        tinymoe eval --run runs/mixtral-tiny                 on the text that was held out in training
        tinymoe eval --run runs/mixtral-tiny --data new.txt  on another text
        tinymoe eval --run runs/mixtral-tiny --routing       and which experts are chosen together
        tinymoe eval --run runs/mixtral-tiny --ablate 1:3    what is lost without expert 3 of layer 1
        """;

    private readonly ModelOptions model = new();
    private readonly MeasuredTextOptions text = new();
    private readonly InterventionOptions interventions = new();
    private readonly Option<bool> routing = Options.Flag("--routing", "Also draw, layer by layer, which experts are chosen together.");
    private readonly DeviceOptions device = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        EvalCommand eval = new();
        CommandWithExamples command = new(
            "eval", "Measure how well a trained model predicts text, and how its experts share the work.", Examples);
        eval.model.AddTo(command);
        eval.text.AddTo(command);
        eval.interventions.AddTo(command);
        command.Add(eval.routing);
        eval.device.AddTo(command);
        command.Add(eval.json);
        command.SetAction(eval.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        EvaluationRequest request = text.Read(parsed, model.Read(parsed), device.Read(parsed)) with
        {
            Changes = interventions.Read(parsed),
        };
        using Interrupts interrupts = new();
        EvaluationResult result = Evaluating.Run(request, interrupts.Token);
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            WriteJson(output, result);
        else
            Write(output, result, request.Changes, parsed.GetValue(routing));
        return Cli.Done;
    }

    private static void Write(TextWriter output, EvaluationResult result, ExpertChanges? changes, bool together)
    {
        foreach (NoteReport note in result.Notes)
            output.WriteLine(Words.Note(note.Text));
        IAnsiConsole console = Consoles.For(output);
        string model = changes is null ? $"model of step {result.Report.Step}" : $"model of step {result.Report.Step} {changes}";
        console.WriteLine($"{model}, {Words.Of(result.Measured)}: {Words.Of(result.Report)}");
        if (result.Change is { } change)
            LossChangeTable.Write(console, change);
        RoutingTable.Write(console, result.Routing);
        DomainTable.Write(console, result.Routing);
        if (together)
            CoActivationMap.Write(console, result.Routing);
    }

    private static void WriteJson(TextWriter output, EvaluationResult result)
    {
        foreach (NoteReport note in result.Notes)
            output.WriteLine(Printable.Json(MetricsJson.Line(note)));
        MeasuredText measured = result.Measured;
        string line = MetricsJson.Line(result.Report, measured.Windows, measured.Of, measured.HeldOut, measured.Sources);
        output.WriteLine(Printable.Json(line));
        if (result.Change is { } change)
            output.WriteLine(Printable.Json(MetricsJson.Line(change)));
        foreach (RoutingReport layer in result.Routing)
            output.WriteLine(Printable.Json(MetricsJson.Line(layer)));
    }
}
