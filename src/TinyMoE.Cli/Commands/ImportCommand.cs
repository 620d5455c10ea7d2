using System.CommandLine;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe import</c>: makes a run of a model of others.</summary>
internal sealed class ImportCommand
{
    private const string Examples = """
        tinymoe import --model OLMoE-1B-7B --out runs/olmoe      a run to evaluate, to write with, to begin with by --init
        """;

    private readonly Option<string?> model = Options.Path("--model", "DIR", "The folder of a model in Hugging Face's form.");
    private readonly Option<string?> folder = Options.Text("--out", "RUN", "The folder of the new run.");

    public static Command Create()
    {
        ImportCommand import = new();
        (import.model.Required, import.folder.Required) = (true, true);
        CommandWithExamples command = new("import", "Make a run of a model in Hugging Face's form.", Examples)
        {
            import.model, import.folder,
        };
        command.SetAction(import.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        string place = parsed.GetValue(folder)!;
        foreach (NoteReport note in Importing.Run(parsed.GetValue(model)!, place))
            parsed.InvocationConfiguration.Error.WriteLine(Words.Note(note.Text));
        parsed.InvocationConfiguration.Output.WriteLine($"{place} is a run now; try: tinymoe info --run {Typed.Path(place)}");
        return Cli.Done;
    }
}
