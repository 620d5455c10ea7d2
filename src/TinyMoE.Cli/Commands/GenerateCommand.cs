using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Generate;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe generate</c>: writes text with a trained model.</summary>
internal sealed class GenerateCommand
{
    private const string Examples = """
        tinymoe generate --run runs/mixtral-tiny --prompt "Returns the "
        tinymoe generate --run runs/mixtral-tiny --tokens 1000 --temperature 0.5 --seed 7
        tinymoe generate --run runs/mixtral-tiny --prompt "Returns the " --stop "." --json
        """;

    private static readonly JsonSerializerOptions AsItIs = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly ModelOptions model = new();
    private readonly Option<string?> prompt = Options.Text("--prompt", "TEXT",
        "Text to go on from; one that begins with a dash as --prompt=\"-x\".");
    private readonly Option<int[]?> ids = Options.Ids(
        "Tokens to go on from, by their ids, in place of --prompt; nothing is added to them.");
    private readonly Option<int?> tokens = Options.Whole("--tokens", 1, "Tokens to write; 300 if not said.");
    private readonly Option<string?> label = Options.Text("--label", "NAME",
        "Label of the text to write, for a model of moe.router=task; one of the labels it was trained on.");
    private readonly SamplingArguments sampling = new();
    private readonly DeviceOptions device = new();
    private readonly Option<bool> json = Options.Flag("--json",
        "Print one object of JSON in place of the text: its ids, the text, and why it ended.");

    public static Command Create()
    {
        GenerateCommand generate = new();
        CommandWithExamples command = new("generate", "Let a trained model write text.", Examples);
        generate.model.AddTo(command);
        foreach (Option option in (Option[])[generate.prompt, generate.ids, generate.tokens])
            command.Add(option);
        generate.sampling.AddTo(command, generate.label);
        generate.device.AddTo(command);
        command.Add(generate.json);
        command.Validators.Add(result =>
        {
            if (result.GetResult(generate.ids) is not null && result.GetResult(generate.prompt) is not null)
                result.AddError("--ids and --prompt exclude one another: both say what to go on from");
        });
        command.SetAction(generate.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        GenerationRequest request = new(model.Read(parsed))
        {
            Prompt = parsed.GetValue(prompt) ?? "",
            Ids = parsed.GetResult(ids) is null ? null : parsed.GetValue(ids),
            Tokens = parsed.GetValue(tokens) ?? 300,
            Sampling = sampling.Read(parsed),
            StopTexts = sampling.StopTexts(parsed),
            Label = parsed.GetValue(label),
            Device = device.Read(parsed),
        };
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        bool asJson = parsed.GetValue(json);
        using Interrupts interrupts = new();
        ITextListener listener = asJson ? new Notes(error) : new Writer(request.Prompt, output, error);
        GeneratedText written = TextGeneration.Run(request, listener, interrupts.Token);
        output.WriteLine(asJson ? Printable.Json(Line(request, written)) : "");
        return interrupts.Token.IsCancellationRequested ? interrupts.ExitCode : Cli.Done;
    }

    private static string Line(GenerationRequest request, GeneratedText written)
    {
        JsonObject line = new()
        {
            ["ids"] = new JsonArray([.. written.Ids.Select(id => (JsonNode)id)]),
            ["text"] = written.Text,
            ["stopped"] = written.End switch
            {
                GenerationEnd.StopToken => "token",
                GenerationEnd.StopText => "text",
                GenerationEnd.Cancelled => "interrupted",
                _ => "length",
            },
        };
        if (request.Ids is null)
            line.Insert(0, "prompt", request.Prompt);
        return line.ToJsonString(AsItIs);
    }

    /// <summary>Tells notes only.</summary>
    private sealed class Notes(TextWriter error) : ITextListener
    {
        public void OnNote(NoteReport note) => error.WriteLine(Words.Note(note.Text));

        public void OnText(string text)
        {
        }
    }

    /// <summary>Writes text as it comes. The prompt waits for the first piece, so that what cannot be read leaves no output.</summary>
    private sealed class Writer(string prompt, TextWriter output, TextWriter error) : ITextListener
    {
        private bool begun;

        public void OnNote(NoteReport note) => error.WriteLine(Words.Note(note.Text));

        public void OnText(string text)
        {
            output.Write(begun ? text : prompt + text);
            output.Flush();
            begun = true;
        }
    }
}
