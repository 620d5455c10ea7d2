using System.CommandLine;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Train;
using static System.FormattableString;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe score</c>: tells how likely a model finds a text, token by token.</summary>
internal sealed class ScoreCommand
{
    private const string Examples = """
        tinymoe score --run runs/mixtral-tiny --text "Returns the name of the file."
        tinymoe score --model OLMoE-1B-7B --file page.txt --json
        tinymoe score --run runs/mixtral-tiny --text "Returns the name of the file." --ablate 1:3
        tinymoe score --model OLMoE-1B-7B --ids 12,5,7 --logits logits.safetensors
        """;

    private readonly ModelOptions model = new();
    private readonly Option<string?> text = Options.Text("--text", "TEXT", "The text.");
    private readonly Option<string?> file = Options.Text("--file", "FILE", "A file with the text, in UTF-8.");
    private readonly Option<int[]?> ids = Options.Ids("The ids of the tokens, as 1,2,3; nothing is added to them.");
    private readonly Option<string?> logits = Options.Path(
        "--logits", "OUT", "A safetensors file for the logits after every token, as a tensor logits (T, V).");
    private readonly InterventionOptions interventions = new();
    private readonly Option<bool> json = Options.Json();
    private readonly DeviceOptions device = new();

    public static Command Create()
    {
        ScoreCommand score = new();
        CommandWithExamples command = new("score", "Tell how likely a model finds a text, token by token.", Examples);
        score.model.AddTo(command);
        foreach (Option option in (Option[])[score.text, score.file, score.ids, score.logits])
            command.Add(option);
        score.interventions.AddTo(command);
        command.Add(score.json);
        score.device.AddTo(command);
        command.Validators.Add(result =>
        {
            int given = new Option[] { score.text, score.file, score.ids }.Count(option => result.GetResult(option) is not null);
            if (given != 1)
                result.AddError("score needs one of --text, --file and --ids");
        });
        command.SetAction(score.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        ScoreRequest request = new(model.Read(parsed))
        {
            Text = parsed.GetValue(text),
            File = parsed.GetValue(file),
            Ids = parsed.GetResult(ids) is null ? null : parsed.GetValue(ids),
            Logits = parsed.GetValue(logits),
            Changes = interventions.Read(parsed),
            Device = device.Read(parsed),
        };
        using Interrupts interrupts = new();
        ScoreResult result;
        try
        {
            result = Scoring.Run(request, interrupts.Token);
        }
        catch (OperationCanceledException)
        {
            return interrupts.ExitCode;
        }

        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        foreach (NoteReport note in result.Notes)
            error.WriteLine(Words.Note(note.Text));
        if (parsed.GetValue(json))
            output.WriteLine(Printable.Json(ToJson(result)));
        else
            Write(Consoles.For(output), result);
        return Cli.Done;
    }

    private static void Write(IAnsiConsole console, ScoreResult result)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("token").AddColumn(new TableColumn("id").RightAligned())
            .AddColumn(new TableColumn("log-probability").RightAligned()).AddColumn(new TableColumn("rank").RightAligned());
        bool compares = result.Tokens.Any(token => token.Unchanged is not null);
        if (compares)
            table.AddColumn(new TableColumn("all experts").RightAligned()).AddColumn(new TableColumn("change").RightAligned());
        foreach (ScoredToken token in result.Tokens)
        {
            List<Text> cells =
            [
                new Text(token.Text is { } text ? Printable.OnOneLine(text) : ""), new Text(Invariant($"{token.Id}")),
                new Text(token.LogProbability is { } log ? Invariant($"{log:F4}") : "-"),
                new Text(token.Rank is { } rank ? Invariant($"{rank}") : "-"),
            ];
            if (compares)
            {
                cells.Add(new Text(token.Unchanged is { } whole ? Invariant($"{whole:F4}") : "-"));
                cells.Add(new Text(token.LogProbability - token.Unchanged is { } change ? LossChangeTable.Signed(change) : "-"));
            }

            table.AddRow(cells);
        }

        console.Write(table);
        console.WriteLine(Invariant($"{result.Tokens.Count} token{(result.Tokens.Count == 1 ? "" : "s")}, sum {result.Sum:F4}")
            + (result.Perplexity is { } perplexity ? Invariant($", perplexity {perplexity:F3}") : "")
            + (result.BitsPerByte is { } bits ? Invariant($", {bits:F3} bits per byte") : ""));
    }

    private static string ToJson(ScoreResult result) => new JsonObject
    {
        ["kind"] = "score",
        ["tokens"] = new JsonArray([.. result.Tokens.Select(ToJson)]),
        ["sum"] = result.Sum,
        ["perplexity"] = result.Perplexity,
        ["bits_per_byte"] = result.BitsPerByte,
    }.ToJsonString(JsonSerializerOptions.Default);

    private static JsonNode? ToJson(ScoredToken token)
    {
        JsonObject line = new()
        {
            ["id"] = token.Id,
            ["token"] = token.Text,
            ["log_probability"] = token.LogProbability,
            ["rank"] = token.Rank,
        };
        if (token.Unchanged is { } unchanged)
            line["unchanged"] = unchanged;
        return line;
    }
}
