using System.CommandLine;
using TinyMoE.App;

namespace TinyMoE.Cli;

/// <summary>The options --data, --labels, --windows and --context, which say what text a model is measured on.</summary>
internal sealed class MeasuredTextOptions
{
    private readonly Option<string[]> data = Options.Texts("--data", "PATH",
        "Files, folders or globs of text, measured whole. What was held out of the run's own text if not said.");
    private readonly Option<string?> labels = Options.OneOf("--labels",
        "What the labels of --data are: those of sources (name=PATH), files or JSON records. As in training if not said.",
        "source", "file", "record");
    private readonly Option<int?> windows = Options.Whole("--windows", 1,
        "Windows of the context length to measure, from the start; all if not said.");
    private readonly Option<int?> context = Options.Whole("--context", 2,
        "Tokens of a window; the model's context if not said, of others' models at most 1024.");

    /// <summary>--data.</summary>
    public Option Data => data;

    /// <summary>--windows.</summary>
    public Option Windows => windows;

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[data, labels, windows, context])
            command.Add(option);
        command.Validators.Add(result =>
        {
            if (result.GetResult(labels) is not null && result.GetResult(data) is null)
                result.AddError("--labels needs --data; the run's own text has the labels of its training");
        });
    }

    /// <summary>The request to measure a model on that text.</summary>
    public EvaluationRequest Read(ParseResult parsed, ModelFolder model, DeviceChoice device) => new(model)
    {
        Sources = parsed.GetResult(data) is null ? null : parsed.GetValue(data),
        Labels = parsed.GetValue(labels),
        Windows = parsed.GetValue(windows),
        Context = parsed.GetValue(context),
        Device = device,
    };
}
