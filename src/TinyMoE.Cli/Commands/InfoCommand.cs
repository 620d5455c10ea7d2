using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe info</c></summary>
internal sealed class InfoCommand
{
    private const string Examples = """
        tinymoe info                                         the default model: its weights, and all keys with their values
        tinymoe info --preset nano --set model.width=256     what a change would cost
        tinymoe info --run runs/mixtral-tiny                 a trained one, and how far it is
        """;

    private readonly Option<string?> run = Options.Text("--run", "DIR", "The folder of a run.");
    private readonly ConfigOptions config = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        InfoCommand info = new();
        CommandWithExamples command = new("info", "Show what a model is made of, without training it.", Examples) { info.run };
        info.config.AddTo(command);
        command.Add(info.json);
        command.Validators.Add(result =>
        {
            if (result.GetResult(info.run) is not null && info.config.Named(result))
                result.AddError("--run excludes --preset and --config; name one");
        });
        command.SetAction(info.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        string? folder = parsed.GetValue(run);
        RunConfig full = config.Read(parsed, folder is null ? null : Engine.ConfigOf(folder));
        full.Validate();
        ModelInfo info = Engine.Info(full, folder);
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(ToJson(info, full));
        else
            Write(output, folder ?? config.Name(parsed), info, full);
        return Cli.Done;
    }

    private static void Write(TextWriter output, string name, ModelInfo info, RunConfig full)
    {
        output.WriteLine($"{name}: {Number(info.TotalParameters)} weights, {Number(info.ActiveParameters)} active for a token");
        int width = info.Parts.Count == 0 ? 0 : info.Parts.Max(part => part.Name.Length);
        foreach ((string part, long parameters) in info.Parts)
            output.WriteLine($"  {part.PadRight(width)}  {Number(parameters),14}");
        if (info.Step is { } step)
            output.WriteLine($"trained: {step} of {full.Train.Steps} steps" + (info.Best is { } best ? $"; best at step {best.Step}: {Words.Of(best)}" : ""));
        output.WriteLine("configuration:");
        output.WriteLine(ConfigJson.Write(full));
    }

    private static string ToJson(ModelInfo info, RunConfig full) => new JsonObject
    {
        ["kind"] = "info",
        ["total_parameters"] = info.TotalParameters,
        ["active_parameters"] = info.ActiveParameters,
        ["parts"] = new JsonObject(info.Parts.Select(part => KeyValuePair.Create(part.Name, (JsonNode?)part.Parameters))),
        ["step"] = info.Step,
        ["best"] = info.Best is null ? null : JsonNode.Parse(MetricsJson.Line(info.Best)),
        ["config"] = JsonNode.Parse(ConfigJson.Write(full)),
    }.ToJsonString(JsonSerializerOptions.Default);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
