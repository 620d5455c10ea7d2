using System.CommandLine;
using System.Globalization;
using TinyMoE.App;
using TinyMoE.Cli.Output;
using TinyMoE.Files;
using TinyMoE.Train;

namespace TinyMoE.Cli.Commands;

/// <summary><c>tinymoe export</c>: writes a model for others' tools.</summary>
internal sealed class ExportCommand
{
    private const string Examples = """
        tinymoe export --run runs/mixtral-tiny --format huggingface --out mixtral-tiny
        tinymoe export --run runs/mixtral-tiny --format huggingface --out small --dtype bfloat16 --shard 1GB
        """;

    private static readonly (string Name, SafetensorsType Type)[] Types =
    [
        ("float32", SafetensorsType.Float32), ("bfloat16", SafetensorsType.Bfloat16), ("float16", SafetensorsType.Float16),
    ];

    private readonly ModelOptions model = new();
    private readonly Option<string?> format = Options.OneOf("--format", "The form of the files; huggingface if not said.", "huggingface");
    private readonly Option<string?> folder = Options.Path("--out", "DIR", "The new folder.");
    private readonly Option<string?> type = Options.OneOf(
        "--dtype", "How weights are kept; as they are now if not said.", [.. Types.Select(type => type.Name)]);
    private readonly Option<string?> family = Options.Text(
        "--family", "NAME", "The family to write it as, by its model_type; the first that can say it if not said.");
    private readonly Option<long?> shard = Options.Bytes("--shard", "Most bytes of a file of weights, as 500MB; 5GB if not said.");

    public static Command Create()
    {
        ExportCommand export = new();
        CommandWithExamples command = new("export", "Write a model in the form that others' tools open.", Examples);
        export.model.AddTo(command);
        export.folder.Required = true;
        foreach (Option option in (Option[])[export.format, export.folder, export.type, export.family, export.shard])
            command.Add(option);
        command.SetAction(export.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        string? kept = parsed.GetValue(type);
        ExportRequest request = new(model.Read(parsed), parsed.GetValue(folder)!)
        {
            Family = parsed.GetValue(family),
            Type = kept is null ? null : Array.Find(Types, known => known.Name == kept).Type,
            ShardSize = parsed.GetValue(shard) ?? SafetensorsExport.UsualShard,
        };
        ExportResult result = Exporting.Run(request);
        (TextWriter output, TextWriter error) = (parsed.InvocationConfiguration.Output, parsed.InvocationConfiguration.Error);
        foreach (NoteReport note in result.Notes)
            error.WriteLine(Words.Note(note.Text));
        output.WriteLine($"{request.Folder}, a model of family {result.Family}:");
        foreach ((string name, long bytes) in result.Files)
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name}, {bytes:N0} bytes"));
        return Cli.Done;
    }
}
