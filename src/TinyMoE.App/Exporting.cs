using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to write a model as Hugging Face's hubs have it.</summary>
/// <param name="Model">Where the model is.</param>
/// <param name="Folder">The new folder.</param>
public sealed record ExportRequest(ModelFolder Model, string Folder)
{
    /// <summary>The family to write it as, by its model_type; null: the first that can say it.</summary>
    public string? Family { get; init; }

    /// <summary>How all weights are kept; null: each as it is in the model's files.</summary>
    public SafetensorsType? Type { get; init; }

    /// <summary>Most bytes of a file of weights, as long as no single tensor has more.</summary>
    public long ShardSize { get; init; } = SafetensorsExport.UsualShard;
}

/// <summary>What was written.</summary>
/// <param name="Family">The family that it was written as.</param>
/// <param name="Files">The files with their sizes in bytes, in order of their names.</param>
/// <param name="Notes">What a person should know of the model.</param>
public sealed record ExportResult(string Family, IReadOnlyList<(string Name, long Bytes)> Files, IReadOnlyList<NoteReport> Notes);

/// <summary>Writes models for others' tools.</summary>
public static class Exporting
{
    /// <summary>Writes a model into a new folder, whole or not at all.</summary>
    /// <exception cref="TinyMoEException">
    /// The model cannot be read, no family can say it (the message names the keys), or the folder is taken or cannot be written.
    /// </exception>
    public static ExportResult Run(ExportRequest request)
    {
        if (Directory.Exists(request.Folder) ? Directory.EnumerateFileSystemEntries(request.Folder).Any() : File.Exists(request.Folder))
            throw new RequestException($"{request.Folder} is there already and not empty; name a new folder by {Setting.Folder}");
        using OpenedModel opened = OpenedModel.Open(request.Model);
        HubExport export = HubExport.Of(opened.Config, request.Family);
        Tokenizer? tokenizer = opened.FindTokenizer();
        IWeightSource source = opened.OpenWeights();
        using (source as IDisposable)
        {
            AtomicFolder.Replace(request.Folder, folder =>
            {
                export.Write(folder, source, opened.Generation, request.Type, request.ShardSize);
                if (tokenizer is not null)
                    HubTokenizer.Write(folder, tokenizer, opened.Config.Model.Context, opened.Generation, opened.ChatTemplate);
            });
        }

        return new ExportResult(
            export.FamilyName,
            [.. new DirectoryInfo(request.Folder).GetFiles().OrderBy(file => file.Name).Select(file => (file.Name, file.Length))],
            opened.Notes);
    }
}
