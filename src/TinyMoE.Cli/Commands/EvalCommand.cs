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
        """;

    private readonly ModelOptions model = new();
    private readonly Option<string[]> data = Options.Texts("--data", "PATH",
        "Files, folders or globs of text, measured whole. What was held out of the run's own text if not said.");
    private readonly Option<string?> labels = Options.OneOf("--labels",
        "What the labels of --data are: those of sources (name=PATH), files or JSON records. As in training if not said.",
        "source", "file", "record");
    private readonly Option<int?> windows = Options.Whole("--windows", 1,
        "Windows of the context length to measure, from the start; all if not said.");
    private readonly Option<int?> context = Options.Whole("--context", 2,
        "Tokens of a window; the model's context if not said, of others' models at most 1024.");
    private readonly Option<bool> routing = Options.Flag("--routing", "Also draw, layer by layer, which experts are chosen together.");
    private readonly DeviceOptions device = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        EvalCommand eval = new();
        CommandWithExamples command = new(
            "eval", "Measure how well a trained model predicts text, and how its experts share the work.", Examples);
        eval.model.AddTo(command);
        foreach (Option option in (Option[])[eval.data, eval.labels, eval.windows, eval.context, eval.routing])
            command.Add(option);
        eval.device.AddTo(command);
        command.Add(eval.json);
        command.Validators.Add(result =>
        {
            if (result.GetResult(eval.labels) is not null && result.GetResult(eval.data) is null)
                result.AddError("--labels needs --data; the run's own text has the labels of its training");
        });
        command.SetAction(eval.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        EvaluationRequest request = new(model.Read(parsed))
        {
            Sources = parsed.GetResult(data) is null ? null : parsed.GetValue(data),
            Labels = parsed.GetValue(labels),
            Windows = parsed.GetValue(windows),
            Context = parsed.GetValue(context),
            Device = device.Read(parsed),
        };
        using Interrupts interrupts = new();
        EvaluationResult result = Evaluating.Run(request, interrupts.Token);
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            WriteJson(output, result);
        else
            Write(output, result, parsed.GetValue(routing));
        return Cli.Done;
    }

    private static void Write(TextWriter output, EvaluationResult result, bool together)
    {
        foreach (NoteReport note in result.Notes)
            output.WriteLine(Words.Note(note.Text));
        IAnsiConsole console = Consoles.For(output);
        console.WriteLine($"model of step {result.Report.Step}, {Name(result.Measured)}: {Words.Of(result.Report)}");
        RoutingTable.Write(console, result.Routing);
        DomainTable.Write(console, result.Routing);
        if (together)
            CoActivationMap.Write(console, result.Routing);
    }

    /// <summary>"all 475 windows of test.txt", "the first 10 of 47 windows held out of its own text".</summary>
    internal static string Name(MeasuredText measured)
    {
        (int count, int all) = (measured.Windows, measured.Of);
        string many = all == 1 ? "the one window" : count < all ? $"the first {count} of {all} windows"
            : measured.HeldOut ? $"the {all} windows" : $"all {all} windows";
        return measured.HeldOut ? $"{many} held out of its own text" : $"{many} of {string.Join(", ", measured.Sources)}";
    }

    private static void WriteJson(TextWriter output, EvaluationResult result)
    {
        foreach (NoteReport note in result.Notes)
            output.WriteLine(Printable.Json(MetricsJson.Line(note)));
        MeasuredText measured = result.Measured;
        string line = MetricsJson.Line(result.Report, measured.Windows, measured.Of, measured.HeldOut, measured.Sources);
        output.WriteLine(Printable.Json(line));
        foreach (RoutingReport layer in result.Routing)
            output.WriteLine(Printable.Json(MetricsJson.Line(layer)));
    }
}
