using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Models;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe info</c></summary>
internal sealed class InfoCommand
{
    private const string Examples = """
        tinymoe info                                         the default model: its parameters, operations and memory
        tinymoe info --preset nano --set model.width=256     what a change would cost
        tinymoe info --run runs/mixtral-tiny                 a trained one
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
        RunConfig full = config.Read(parsed, folder is null ? null : Checkpoint.LoadConfig(RunFolder.FindCheckpoint(folder)));
        full.Validate();
        full = Engine.WithText(full);
        ModelSize size = ModelSize.Of(full);
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(ToJson(size, full));
        else
            Write(Consoles.For(output), folder ?? config.Name(parsed), size, full);
        return Cli.Done;
    }

    private static void Write(IAnsiConsole console, string name, ModelSize size, RunConfig full)
    {
        Table table = new Table().Border(TableBorder.Simple).AddColumn("part").AddColumn(new TableColumn("parameters").RightAligned()).AddColumn(new TableColumn("active for a token").RightAligned());
        foreach (PartSize part in size.Parts)
            table.AddRow(part.Name, Number(part.Total), Number(part.Active));
        table.AddRow("all", Number(size.TotalParameters), Number(size.ActiveParameters));
        console.WriteLine(name);
        console.Write(table);
        console.WriteLine($"operations a token: {Number(size.ForwardFlopsPerToken)} forward, {Number(3 * size.ForwardFlopsPerToken)} in training");
        console.WriteLine($"memory: {Words.Mebibytes(size.TrainingBytes)} to train with {full.Train.Batch} windows of {full.Model.Context} tokens, {Words.Mebibytes(size.GenerationBytes)} to generate");
        foreach (string note in ConfigNotes.Of(full))
            console.WriteLine(Words.Note(note));
    }

    private static string ToJson(ModelSize size, RunConfig full) => new JsonObject
    {
        ["kind"] = "info",
        ["parameters"] = size.TotalParameters,
        ["active_parameters"] = size.ActiveParameters,
        ["parts"] = new JsonObject(size.Parts.Select(part =>
            KeyValuePair.Create(part.Name, (JsonNode?)new JsonObject { ["parameters"] = part.Total, ["active_parameters"] = part.Active }))),
        ["forward_flops_per_token"] = size.ForwardFlopsPerToken,
        ["training_bytes"] = size.TrainingBytes,
        ["generation_bytes"] = size.GenerationBytes,
        ["notes"] = new JsonArray([.. ConfigNotes.Of(full).Select(note => (JsonNode?)note)]),
        ["config"] = JsonNode.Parse(ConfigJson.Write(full)),
    }.ToJsonString(JsonSerializerOptions.Default);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
