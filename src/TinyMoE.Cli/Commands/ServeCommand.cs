using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Train;
using TinyMoE.Web;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe serve</c>: answers over HTTP as OpenAI's API does.</summary>
internal sealed class ServeCommand(TextReader? input)
{
    private const string Examples = """
        tinymoe serve --run runs/mixtral-tiny
        tinymoe serve --run runs/mixtral-tiny --template chat.jinja --port 9000 --slots 32
        tinymoe serve --run runs/mixtral-tiny --listen 0.0.0.0 --token a-long-secret
        """;

    private readonly ModelOptions model = new();
    private readonly ListenOptions listening = new(
        8080, "What requests must bear, 8 characters at least (Authorization: Bearer TOKEN)", allowsOrigins: true);
    private readonly Option<int?> slots = Options.Whole("--slots", 1, "Texts that are written at once; 16 if not said.");
    private readonly Option<string?> name = Options.Text("--name", "NAME", "What the model is called; its folder's name if not said.");
    private readonly Option<string?> template = Options.Path("--template", "FILE",
        "Chat template, as chat_template.jinja of other models; the model's own if not said.");
    private readonly DeviceOptions device = new();

    /// <summary>The command; where there is an input it stops at its end, else by Ctrl-C.</summary>
    public static Command Create(TextReader? input)
    {
        ServeCommand serve = new(input);
        CommandWithExamples command = new(
            "serve", "Answer over HTTP as OpenAI's API does, many requests at once; Ctrl-C stops.", Examples);
        serve.model.AddTo(command);
        serve.listening.AddTo(command);
        foreach (Option option in (Option[])[serve.slots, serve.name, serve.template])
            command.Add(option);
        serve.device.AddTo(command);
        command.Validators.Add(serve.Validate);
        command.SetAction(serve.Run);
        return command;
    }

    private void Validate(CommandResult result)
    {
        if (result.GetResult(name)?.Tokens.Any(word => word.Value.Length == 0) == true)
            result.AddError("--name needs a name that is not empty");
    }

    private int Run(ParseResult parsed)
    {
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        using Interrupts interrupts = new();
        using Serving serving = Serving.Open(new ServingRequest(model.Read(parsed))
        {
            Name = parsed.GetValue(name),
            Template = parsed.GetValue(template),
            Slots = parsed.GetValue(slots) ?? 16,
            Device = device.Read(parsed),
        });
        foreach (NoteReport note in serving.Notes)
            error.WriteLine(Words.Note(note.Text));
        using WebServer server = WebServer.Start(serving, listening.Read(parsed, error));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{serving.Name} at {server.Address.OriginalString}/v1: {serving.Slots} slots, {(serving.CanChat ? "chats and completions"
            : "completions only, it has no chat template")}; Ctrl-C stops"));
        output.Flush();
        if (input is not null)
            input.ReadToEnd();
        else
            interrupts.Token.WaitHandle.WaitOne();
        server.Stop();
        return interrupts.Token.IsCancellationRequested ? interrupts.ExitCode : Cli.Done;
    }
}
