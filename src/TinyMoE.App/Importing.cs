using TinyMoE.Families;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>Makes runs of ours of models of others.</summary>
public static class Importing
{
    /// <summary>
    /// Writes the model in <paramref name="model"/> as a run in <paramref name="folder"/>, which can be evaluated, written with, exported
    /// and begun with. Weights keep their type where a run can have it.
    /// </summary>
    /// <exception cref="TinyMoEException">The model cannot be read, or the folder is taken or cannot be written.</exception>
    public static IReadOnlyList<NoteReport> Run(string model, string folder)
    {
        RunFolder run = new(folder);
        using Files.FileLock held = run.Lock();
        if (run.HasRun)
            throw new RequestException($"{folder} holds a run already; name a new folder by {Setting.Folder}");
        Training.CheckFolder(run, resume: false, overwrite: false);
        using HubModel hub = HubModel.Open(model);
        using OpenedModel opened = OpenedModel.Open(ModelFolder.Hub(model));
        ImportedRun.Write(run, hub.Config, hub.Weights, opened.FindTokenizer(), hub.Companions);
        return [.. hub.Notes.Select(note => new NoteReport(0, note))];
    }
}
