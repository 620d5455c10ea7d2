using System.CommandLine;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Generate;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe chat</c>: a conversation with a trained model.</summary>
internal sealed class ChatCommand(TextReader? input)
{
    private const string Examples = """
        tinymoe chat --run runs/mixtral-tiny --template chat.jinja
        tinymoe chat --run runs/mixtral-tiny --template chat.jinja --system "Be brief." --stop "<|im_end|>"
        """;

    private readonly ModelOptions model = new();
    private readonly Option<string?> template = Options.Path("--template", "FILE",
        "Chat template, as chat_template.jinja of other models; the model's own if not said.");
    private readonly Option<string?> system = Options.Text("--system", "TEXT", "What the model is told before all messages.");
    private readonly Option<int?> tokens = Options.Whole("--tokens", 1, "Tokens of an answer at most; 300 if not said.");
    private readonly SamplingArguments sampling = new();
    private readonly DeviceOptions device = new();

    /// <summary>The command; messages come from <paramref name="input"/>, the process's own if null.</summary>
    public static Command Create(TextReader? input)
    {
        ChatCommand chat = new(input);
        CommandWithExamples command = new("chat", "Talk with a trained model: a message per line, /reset, /exit.", Examples);
        chat.model.AddTo(command);
        foreach (Option option in (Option[])[chat.template, chat.system, chat.tokens])
            command.Add(option);
        chat.sampling.AddTo(command);
        chat.device.AddTo(command);
        command.SetAction(chat.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        ChatRequest request = new(model.Read(parsed))
        {
            Template = parsed.GetValue(template),
            Options = new ChatOptions
            {
                System = parsed.GetValue(system),
                Tokens = parsed.GetValue(tokens) ?? 300,
                Sampling = sampling.Read(parsed),
                StopTexts = sampling.StopTexts(parsed),
            },
            Device = device.Read(parsed),
        };
        bool isTerminal = input is null && !Console.IsInputRedirected;
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        using Person person = new(input ?? Console.In, isTerminal, output, error);
        Chatting.Run(request, person);
        return person.ExitCode;
    }

    /// <summary>
    /// Lines of a terminal or a pipe. Ctrl-C ends an answer that is being written and the chat with it; a terminal goes on after a message
    /// that cannot be said, a pipe does not.
    /// </summary>
    private sealed class Person(TextReader input, bool isTerminal, TextWriter output, TextWriter error) : IChatListener, IDisposable
    {
        private Interrupts? interrupts;

        public int ExitCode { get; private set; } = Cli.Done;

        public void OnNote(NoteReport note) => error.WriteLine(Words.Note(note.Text));

        public string? NextMessage()
        {
            if (ExitCode != Cli.Done)
                return null;
            if (isTerminal)
            {
                output.Write("> ");
                output.Flush();
            }

            string? line = input.ReadLine();
            if (line is null && isTerminal)
                output.WriteLine();
            return line?.TrimStart('\uFEFF'); // a file that begins with the mark of its encoding
        }

        public CancellationToken BeginAnswer() => (interrupts = new Interrupts()).Token;

        public void OnText(string text)
        {
            output.Write(text);
            output.Flush();
        }

        public void OnAnswer(GeneratedText answer)
        {
            output.WriteLine();
            output.Flush();
            if (answer.End == GenerationEnd.Cancelled)
                ExitCode = interrupts!.ExitCode;
            Dispose();
        }

        public bool GoesOnAfter(TinyMoEException e)
        {
            Dispose();
            if (isTerminal)
                error.WriteLine($"tinymoe: {Failures.Describe(e)}");
            return isTerminal;
        }

        public void Dispose()
        {
            interrupts?.Dispose();
            interrupts = null;
        }
    }
}
