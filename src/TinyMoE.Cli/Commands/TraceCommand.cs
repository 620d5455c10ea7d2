using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Files;
using TinyMoE.Train;
using static System.FormattableString;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe trace</c>: follows every token of a text through a model.</summary>
internal sealed class TraceCommand
{
    private const string All = "all";

    private const string Examples = """
        tinymoe trace --run runs/mixtral-tiny --out trace.parquet                    the text that was held out in training
        tinymoe trace --run runs/mixtral-tiny --text "The name of the file." --out trace.jsonl
        tinymoe trace --model OLMoE-1B-7B --data page.txt --windows 100 --out trace.parquet --probabilities all
        """;

    private readonly ModelOptions model = new();
    private readonly Option<string?> text = Options.Text("--text", "TEXT", "The text to trace.");
    private readonly Option<string?> file = Options.Text("--file", "FILE", "A file with the text, in UTF-8.");
    private readonly MeasuredTextOptions windows = new();
    private readonly InterventionOptions interventions = new();
    private readonly Option<string?> output = Options.Path("--out", "FILE",
        "The file for the trace: a table (.parquet) or lines of JSON (.jsonl); none if not said.");
    private readonly Option<bool> similarity = Options.Flag(
        "--similarity", "Also tell how alike the experts of each layer are: their weights, neurons matched, and what they give.");
    private readonly Option<int?> predictions = Options.Whole(
        "--predictions", value => value is >= 0 and <= TraceRequest.MostPredictions,
        $"a whole number from 0 to {TraceRequest.MostPredictions}",
        $"How many of the likeliest next tokens to tell; {TraceRequest.UsualPredictions} if not said.");
    private readonly Option<int?> probabilities = new("--probabilities")
    {
        HelpName = $"N|{All}",
        Description = "How many of the router's largest probabilities to tell besides those of choices; none if not said.",
        CustomParser = ReadProbabilities,
    };

    private readonly Option<string?> summary = Options.Path("--summary", "FILE",
        "A JSON file for what each expert lives on: its tokens in context, kinds of characters, domains, positions. It is shown in short"
        + " without --out as well.");
    private readonly Option<string?> against = Options.Path("--against", "DIR",
        "An earlier checkpoint or run, to tell how far its routers chose as these do (saturation).");
    private readonly DeviceOptions device = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        TraceCommand trace = new();
        CommandWithExamples command = new("trace", "Follow every token of a text through a model: experts, gates, losses.", Examples);
        trace.model.AddTo(command);
        command.Add(trace.text);
        command.Add(trace.file);
        trace.windows.AddTo(command);
        trace.interventions.AddTo(command);
        Option[] told = [trace.similarity, trace.predictions, trace.probabilities, trace.summary, trace.against];
        foreach (Option option in told.Prepend(trace.output))
            command.Add(option);
        trace.device.AddTo(command);
        command.Add(trace.json);
        command.Validators.Add(trace.Check);
        command.SetAction(trace.Run);
        return command;
    }

    private void Check(CommandResult result)
    {
        if (new Option[] { text, file, windows.Data }.Count(option => result.GetResult(option) is not null) > 1)
            result.AddError("--text, --file and --data exclude each other; name one");
        bool isText = result.GetResult(text) is not null || result.GetResult(file) is not null;
        if (isText && result.GetResult(windows.Windows) is not null)
            result.AddError("--windows is for --data or the run's own text; a text of its own is traced whole");
    }

    private int Run(ParseResult parsed)
    {
        TraceRequest request = new(windows.Read(parsed, model.Read(parsed), device.Read(parsed)) with
        {
            Changes = interventions.Read(parsed),
        })
        {
            Text = parsed.GetValue(text),
            File = parsed.GetValue(file),
            Out = parsed.GetValue(output),
            Summary = parsed.GetValue(summary),
            Summarises = parsed.GetValue(output) is null || parsed.GetValue(against) is not null,
            Similarity = parsed.GetValue(similarity),
            Against = parsed.GetValue(against) is { } earlier ? ModelFolder.Any(earlier) : null,
            Predictions = parsed.GetValue(predictions) ?? TraceRequest.UsualPredictions,
            Probabilities = parsed.GetValue(probabilities) ?? 0,
        };
        using Interrupts interrupts = new();
        TraceResult result;
        try
        {
            result = Tracing.Run(request, interrupts.Token);
        }
        catch (OperationCanceledException)
        {
            return interrupts.ExitCode;
        }

        (TextWriter console, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        foreach (NoteReport note in result.Notes)
            error.WriteLine(Words.Note(note.Text));
        console.WriteLine(parsed.GetValue(json) ? Printable.Json(ToJson(result, request)) : InWords(result, request));
        if (result.Summary is not null && !parsed.GetValue(json))
            TraceSummaryTable.Write(Consoles.For(console), result.Summary, result.Saturation);
        if (result.Similarity is not null && !parsed.GetValue(json))
            SimilarityLines.Write(Consoles.For(console), result.Similarity);
        return Cli.Done;
    }

    private static string InWords(TraceResult result, TraceRequest request)
    {
        string what = result.Measured is { } measured ? Words.Of(measured) : "the text";
        string loss = double.IsNaN(result.Loss) ? "" : Invariant($", loss {result.Loss:F4}");
        string written = request.Out is { } path ? Invariant($"; {result.Rows:N0} rows in {path}") : "";
        return Invariant($"traced {what}: {result.Tokens:N0} token{(result.Tokens == 1 ? "" : "s")}{loss}{written}");
    }

    private static string ToJson(TraceResult result, TraceRequest request) => new JsonObject
    {
        ["kind"] = "trace",
        ["step"] = result.Step,
        ["tokens"] = result.Tokens,
        ["loss"] = double.IsNaN(result.Loss) ? null : result.Loss,
        ["file"] = request.Out,
        ["rows"] = result.Rows,
        ["windows"] = result.Measured?.Windows,
        ["of"] = result.Measured?.Of,
        ["held_out"] = result.Measured?.HeldOut,
        ["saturation"] = result.Saturation is null ? null : new JsonArray([.. result.Saturation.Select(layer => (JsonNode?)new JsonObject
        {
            ["layer"] = layer.Layer,
            ["first"] = layer.First,
            ["all"] = layer.All,
        })]),
    }.ToJsonString(JsonSerializerOptions.Default);

    private static int? ReadProbabilities(ArgumentResult result)
    {
        string value = result.Tokens[0].Value;
        if (value == All)
            return int.MaxValue;
        if (int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            return count;
        result.AddError($"--probabilities needs a whole number or {All}, not '{Excerpt.Of(value)}'");
        return null;
    }
}
