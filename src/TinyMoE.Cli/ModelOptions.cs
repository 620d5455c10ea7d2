using System.CommandLine;
using TinyMoE.App;

namespace TinyMoE.Cli;

/// <summary>--run and --model, of which commands that use a model want one.</summary>
internal sealed class ModelOptions
{
    private readonly Option<string?> run = Options.Text("--run", "DIR", "The folder of a trained run, as in runs/mixtral-tiny.");
    private readonly Option<string?> model = Options.Text("--model", "DIR", "The folder of a model in Hugging Face's form, instead of a run.");

    public void AddTo(Command command)
    {
        command.Add(run);
        command.Add(model);
        command.Validators.Add(result =>
        {
            bool isRun = result.GetResult(run) is not null, isModel = result.GetResult(model) is not null;
            if (isRun == isModel)
                result.AddError(isRun ? "--run and --model exclude each other; name one" : $"{command.Name} needs --run DIR or --model DIR");
        });
    }

    public ModelFolder Read(ParseResult parsed) =>
        parsed.GetValue(run) is { } folder ? ModelFolder.Run(folder) : ModelFolder.Hub(parsed.GetValue(model)!);
}
