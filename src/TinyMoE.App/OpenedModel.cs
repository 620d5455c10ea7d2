using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A trained model that is there to be used, wherever it comes from: what all commands that use one need of it.</summary>
internal sealed class OpenedModel : IDisposable
{
    private readonly ModelFolder folder;
    private readonly HubModel? hub;
    private Tokenizer? tokenizer;

    private OpenedModel(ModelFolder folder, Checkpoint? run, HubModel? hub) => (this.folder, Run, this.hub) = (folder, run, hub);

    /// <summary>Opens it.</summary>
    /// <exception cref="TinyMoEException">There is none, or it cannot be used.</exception>
    public static OpenedModel Open(ModelFolder folder) => folder.IsRun
        ? new OpenedModel(folder, Checkpoint.Open(RunFolder.FindCheckpoint(folder.Path)), hub: null)
        : new OpenedModel(folder, run: null, HubModel.Open(folder.Path));

    /// <summary>A checkpoint that is open already, and is closed with it.</summary>
    public static OpenedModel Of(Checkpoint checkpoint) => new(checkpoint.Folder, checkpoint, hub: null);

    /// <summary>The checkpoint, of a run; null: it is a model of others.</summary>
    public Checkpoint? Run { get; }

    /// <summary>The folder that its files are in: that of the checkpoint, of a run.</summary>
    public string Folder => Run?.Folder ?? folder.Path;

    /// <summary>The family of a model of others, by its model_type; null of a run.</summary>
    public string? Family => hub?.Family.Name;

    /// <summary>Its configuration; of a model of others, what concerns training and text says nothing.</summary>
    public RunConfig Config => Run?.Config ?? hub!.Config;

    /// <summary>How many steps it was trained, as far as that is known.</summary>
    public int Step => Run?.Step ?? 0;

    /// <summary>How its makers generate with it, and where it stops; of a run nothing is said.</summary>
    public GenerationDefaults Generation => hub?.Generation ?? GenerationDefaults.Of(Run!.Companions, Run.Folder);

    /// <summary>What a person should know of it.</summary>
    public IReadOnlyList<NoteReport> Notes => Run is not null ? ModelInfo.NotesOf(Run)
        : [.. hub!.Notes.Concat(tokenizer?.Notes ?? []).Select(note => new NoteReport(0, note))];

    /// <summary>The labels that it was trained on; null: none.</summary>
    public LabelSet? LoadLabels() => Run?.LoadLabels();

    /// <summary>Its tokenizer.</summary>
    /// <exception cref="TinyMoEException">It has none, or one that cannot be read or is not the model's.</exception>
    public Tokenizer LoadTokenizer()
    {
        if (Run is not null)
            return Run.LoadTokenizer();
        tokenizer ??= TokenizerChoice.Open(folder.Path);
        return tokenizer.Vocabulary <= Config.Model.Vocabulary ? tokenizer : throw new TinyMoEException(
            $"the tokenizer in {folder} has {tokenizer.Vocabulary} tokens and its model {Config.Model.Vocabulary}; the two do not belong "
            + "together");
    }

    /// <summary>Its tokenizer; null where a model of others comes without one.</summary>
    public Tokenizer? FindTokenizer()
    {
        bool isThere = Run?.Has(RunFiles.Tokenizer) ?? TokenizerChoice.IsIn(folder.Path);
        return isThere ? LoadTokenizer() : null;
    }

    /// <summary>Files that say how it is used, by name.</summary>
    public IReadOnlyDictionary<string, byte[]> Companions => Run?.Companions ?? hub!.Companions;

    /// <summary>The template of its chats; null: it has none.</summary>
    public string? ChatTemplate => Companions.TryGetValue(RunFiles.ChatTemplate, out byte[]? text)
        ? System.Text.Encoding.UTF8.GetString(text) : null;

    /// <summary>Makes sure that no file of the model, or of the run that it is of, is replaced by <paramref name="what"/>.</summary>
    /// <exception cref="TinyMoEException">The file would lie among them.</exception>
    public void RequireOutside(string? file, string what)
    {
        if (string.IsNullOrEmpty(file))
            return;
        string? place = Path.GetDirectoryName(FilePlace.Real(file));
        if (place is not null && (place == Real(Folder) || place == Real(folder.Path)))
            throw new TinyMoEException($"{file} lies among the files of the model; choose another place for {what}");

        static string Real(string path) => FilePlace.Real(path).TrimEnd(Path.DirectorySeparatorChar);
    }

    /// <summary>Its weights by our names, without building it; whoever gets them disposes of them before this.</summary>
    public IWeightSource OpenWeights() => Run?.OpenVerifiedWeights() ?? hub!.Weights;

    /// <summary>Builds the model. Of a run the files are closed then, since a training may replace them meanwhile.</summary>
    public Decoder LoadModel(Backend backend)
    {
        if (hub is not null)
            return hub.LoadModel(backend);
        Decoder model = Run!.LoadModel(backend);
        Run.Dispose();
        return model;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Run?.Dispose();
        hub?.Dispose();
    }
}
