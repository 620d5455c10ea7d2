using System.CommandLine;
using TinyMoE.Cli.Output;
using TinyMoE.Web.View.Reports;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe report</c>: what runs learned, as one file that is opened from disk.</summary>
internal sealed class ReportCommand
{
    private const string Examples = """
        tinymoe report --run runs/mixtral-tiny --out report.html
        tinymoe report --run runs/mixtral-tiny --out report.html --ablate-windows 64
        tinymoe report --run runs/mixtral-tiny runs/other --out both.html --title "Two routers"
        """;

    private readonly Option<string[]> runs = Options.Texts("--run", "DIR", "Folders of runs, trained or being trained.");
    private readonly Option<string?> file = Options.Path("--out", "FILE", "The file, of HTML; one that is there is replaced.");
    private readonly Option<string?> title = Options.Text("--title", "TEXT", "What stands above it; the names of the runs if not said.");

    private readonly Option<int?> ablateWindows = Options.Whole(
        "--ablate-windows", 1, "Measure on so many windows of held-out text what is lost without each expert; not measured if not said.");
    private readonly DeviceOptions device = new();

    public static Command Create()
    {
        ReportCommand report = new();
        CommandWithExamples command = new("report", "Write what runs learned as one file of HTML, to send or print.", Examples);
        (report.runs.Required, report.file.Required) = (true, true);
        report.runs.Validators.Add(Options.RequirePaths);
        foreach (Option option in (Option[])[report.runs, report.file, report.title, report.ablateWindows])
            command.Add(option);
        report.device.AddTo(command);
        command.SetAction(report.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        ReportOptions options = new(parsed.GetValue(runs)!, parsed.GetValue(file)!)
        {
            Title = parsed.GetValue(title), AblateWindows = parsed.GetValue(ablateWindows), Device = device.Read(parsed),
        };
        using Interrupts interrupts = new();
        IReadOnlyList<string> notes;
        try
        {
            notes = Report.Write(options, interrupts.Token);
        }
        catch (OperationCanceledException)
        {
            return interrupts.ExitCode;
        }

        foreach (string note in notes)
            parsed.InvocationConfiguration.Error.WriteLine(Words.Note(note));
        string what = options.Runs.Count == 1 ? options.Runs[0] : $"{options.Runs.Count} runs";
        parsed.InvocationConfiguration.Output.WriteLine($"{options.Out} shows {what}");
        return Cli.Done;
    }
}
