using System.CommandLine;
using System.CommandLine.Parsing;
using TinyMoE.App;

namespace TinyMoE.Cli;

/// <summary>--run and --model, of which commands that use a model want one.</summary>
internal sealed class ModelOptions(bool isRequired = true)
{
    private readonly Option<string?> run = Options.Text("--run", "DIR", "The folder of a trained run, as in runs/mixtral-tiny.");
    private readonly Option<string?> model = Options.Path(
        "--model", "DIR", "The folder of a model in Hugging Face's form, instead of a run.");

    public void AddTo(Command command)
    {
        command.Add(run);
        command.Add(model);
        command.Validators.Add(result =>
        {
            if (result.GetResult(run) is not null && result.GetResult(model) is not null)
                result.AddError("--run and --model exclude each other; name one");
            else if (isRequired && !Named(result))
                result.AddError($"{command.Name} needs --run DIR or --model DIR");
        });
    }

    /// <summary>Whether one of the two was given.</summary>
    public bool Named(CommandResult result) => result.GetResult(run) is not null || result.GetResult(model) is not null;

    /// <summary>The model that was named.</summary>
    public ModelFolder Read(ParseResult parsed) => Find(parsed)!;

    /// <summary>The model that was named; null: none was.</summary>
    public ModelFolder? Find(ParseResult parsed) => parsed.GetValue(run) is { } folder ? ModelFolder.Run(folder)
        : parsed.GetValue(model) is { } place ? ModelFolder.Hub(place) : null;
}
