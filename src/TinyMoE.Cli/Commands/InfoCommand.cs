using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Configuration;
using TinyMoE.Models;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe info</c>: prints the size of a model without training it.</summary>
internal sealed class InfoCommand
{
    private const string Examples = """
        tinymoe info                                         the default model: its parameters, operations and memory
        tinymoe info --preset nano --set model.width=256     what a change would cost
        tinymoe info --run runs/mixtral-tiny                 a trained one
        """;

    private readonly ModelOptions model = new(isRequired: false);
    private readonly ConfigOptions config = new();
    private readonly Option<bool> json = Options.Json();

    public static Command Create()
    {
        InfoCommand info = new();
        CommandWithExamples command = new("info", "Show what a model is made of, without training it.", Examples);
        info.model.AddTo(command);
        info.config.AddTo(command);
        command.Add(info.json);
        command.Validators.Add(result =>
        {
            if (info.model.Named(result) && info.config.Named(result))
                result.AddError("--run and --model exclude --preset and --config; name one");
        });
        command.SetAction(info.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        ModelInfo info = ModelInfo.Of(config.Read(parsed), model.Find(parsed));
        TextWriter output = parsed.InvocationConfiguration.Output;
        if (parsed.GetValue(json))
            output.WriteLine(ToJson(info));
        else
            Write(Consoles.For(output), info);
        return Cli.Done;
    }

    private static void Write(IAnsiConsole console, ModelInfo info)
    {
        ModelSize size = info.Size;
        Table table = new Table().Border(TableBorder.Simple)
            .AddColumn("part")
            .AddColumn(new TableColumn("parameters").RightAligned())
            .AddColumn(new TableColumn("active per token").RightAligned());
        foreach (PartSize part in size.Parts)
            table.AddRow(part.Name, Number(part.Total), Number(part.Active));
        table.AddRow("all", Number(size.TotalParameters), Number(size.ActiveParameters));
        console.WriteLine(info.Name);
        console.Write(table);
        string forward = Number(size.ForwardFlopsPerToken), training = Number(3 * size.ForwardFlopsPerToken);
        console.WriteLine($"operations per token: {forward} forward, {training} in training");
        console.WriteLine(
            $"memory: {Words.Mebibytes(size.TrainingBytes)} to train with {info.Config.Train.Batch} windows"
            + $" of {info.Config.Model.Context} tokens, {Words.Mebibytes(size.GenerationBytes)} to generate");
        if (info.Best is { } best)
            console.WriteLine(Words.Best(best.Loss, best.BitsPerByte, best.Step));
        foreach (NoteReport note in info.Notes)
            console.WriteLine(Words.Note(note.Text));
    }

    private static string ToJson(ModelInfo info) => new JsonObject
    {
        ["kind"] = "info",
        ["parameters"] = info.Size.TotalParameters,
        ["active_parameters"] = info.Size.ActiveParameters,
        ["parts"] = new JsonObject(info.Size.Parts.Select(part => KeyValuePair.Create(
            part.Name, (JsonNode?)new JsonObject { ["parameters"] = part.Total, ["active_parameters"] = part.Active }))),
        ["forward_flops_per_token"] = info.Size.ForwardFlopsPerToken,
        ["training_bytes"] = info.Size.TrainingBytes,
        ["generation_bytes"] = info.Size.GenerationBytes,
        ["best"] = info.Best is { } best
            ? new JsonObject { ["step"] = best.Step, ["loss"] = best.Loss, ["bits_per_byte"] = best.BitsPerByte }
            : null,
        ["notes"] = new JsonArray([.. info.Notes.Select(note => (JsonNode?)note.Text)]),
        ["config"] = JsonNode.Parse(ConfigJson.Write(info.Config)),
    }.ToJsonString(JsonSerializerOptions.Default);

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
