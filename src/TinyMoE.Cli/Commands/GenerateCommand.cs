using System.CommandLine;
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
        """;

    private readonly Option<string?> run = Options.Run();
    private readonly Option<string?> prompt = Options.Text("--prompt", "TEXT",
        "Text to go on from; one that begins with a dash as --prompt=\"-x\".");
    private readonly Option<int?> tokens = Options.Whole("--tokens", 1, "Tokens to write; 300 if not said.");
    private readonly Option<float?> temperature = Options.Number("--temperature", x => x >= 0, "a number, at least 0",
        "How daring: 0 always takes the likeliest token, 1 draws as the model believes; 0.8 if not said.");
    private readonly Option<int?> topK = Options.Whole("--top-k", 0, "Draw among the K likeliest tokens; 0 or not said: all.");
    private readonly Option<float?> topP = Options.Number("--top-p", x => x is > 0 and <= 1, "a number above 0 and at most 1",
        "Draw among the likeliest tokens that together have probability P; 1 or not said: all.");
    private readonly Option<string?> label = Options.Text("--label", "NAME",
        "Label of the text to write, for a model of moe.router=task; one of the labels it was trained on.");
    private readonly Option<ulong?> seed = Options.Seed("Another seed, another text; 1 if not said.");
    private readonly DeviceOptions device = new();

    public static Command Create()
    {
        GenerateCommand generate = new();
        CommandWithExamples command = new("generate", "Let a trained model write text.", Examples)
        {
            generate.run, generate.prompt, generate.tokens, generate.temperature, generate.topK, generate.topP, generate.label,
            generate.seed,
        };
        generate.device.AddTo(command);
        command.SetAction(generate.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        GenerationRequest request = new(parsed.GetValue(run)!)
        {
            Prompt = parsed.GetValue(prompt) ?? "",
            Tokens = parsed.GetValue(tokens) ?? 300,
            Sampling = new SamplingOptions
            {
                Temperature = parsed.GetValue(temperature) ?? 0.8f,
                TopK = parsed.GetValue(topK) ?? 0,
                TopP = parsed.GetValue(topP) ?? 1f,
                Seed = parsed.GetValue(seed) ?? 1,
            },
            Label = parsed.GetValue(label),
            Device = device.Read(parsed),
        };
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        using Interrupts interrupts = new();
        TextGeneration.Run(request, new Writer(request.Prompt, output, error), interrupts.Token);
        output.WriteLine();
        return interrupts.Token.IsCancellationRequested ? interrupts.ExitCode : Cli.Done;
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
