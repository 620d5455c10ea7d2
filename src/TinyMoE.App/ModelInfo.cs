using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>The evaluation of the lowest loss.</summary>
/// <param name="Step">The step after which it was made.</param>
/// <param name="Loss">Mean cross-entropy in nats per token.</param>
/// <param name="BitsPerByte">The loss in bits, per byte of the text; null where nobody knows.</param>
public sealed record BestEvaluation(int Step, double Loss, double? BitsPerByte);

/// <summary>Tells what a model is made of, without training it.</summary>
/// <param name="Name">What to call it: the folder of the run, or the name of the configuration.</param>
/// <param name="Config">The whole configuration, with what its text tells.</param>
/// <param name="Size">Its parameters, operations and memory.</param>
/// <param name="Notes">What a person should know of the configuration.</param>
public sealed record ModelInfo(string Name, RunConfig Config, ModelSize Size, IReadOnlyList<NoteReport> Notes)
{
    /// <summary>The family of a model of others, by its model_type; null of a run and of a configuration.</summary>
    public string? Family { get; init; }

    /// <summary>The best evaluation of the run; null of a configuration, or where there was none.</summary>
    public BestEvaluation? Best { get; init; }

    /// <summary>Looks at a choice, or at the configuration of <paramref name="model"/> with what the choice changes in it.</summary>
    /// <exception cref="TinyMoEException">There is no such model, the configuration is wrong, or its text cannot be read.</exception>
    public static ModelInfo Of(ConfigChoice choice, ModelFolder? model = null)
    {
        using OpenedModel? opened = model is null ? null : OpenedModel.Open(model);
        opened?.Run?.RequireWeights(opened.Config);
        RunConfig config = choice.Resolve(opened?.Config);
        bool isOthers = opened is not null && opened.Run is null;
        if (isOthers)
            config.ValidateUse();
        else
            config.Validate();
        config = WithText(config);
        TrainingState? state = opened?.Run?.State;
        NoteReport[] notes = [.. isOthers ? opened!.Notes : NotesOf(ConfigNotes.Of(config))];
        ModelSize size = ModelSize.Of(config, isOthers ? opened!.OpenWeights() : null);
        return new ModelInfo(model?.Path ?? choice.Name, config, size, notes)
        {
            Family = opened?.Family,
            Best = state?.BestLoss is { } loss ? new BestEvaluation(state.BestStep, loss, state.BestBitsPerByte) : null,
        };
    }

    /// <summary>What a person should know who uses a trained model, and not how it was trained.</summary>
    internal static IReadOnlyList<NoteReport> NotesOf(RunConfig config) => NotesOf(ConfigNotes.OfModel(config));

    private static NoteReport[] NotesOf(IEnumerable<string> texts) => [.. texts.Select(text => new NoteReport(0, text))];

    /// <summary>What a person should know of a checkpoint: of its configuration, and of its files as far as they were read.</summary>
    internal static IReadOnlyList<NoteReport> NotesOf(Checkpoint checkpoint) =>
        [.. NotesOf(checkpoint.Config), .. checkpoint.Notes.Select(note => new NoteReport(0, note))];

    /// <summary>The configuration with what only its text tells: the vocabulary, and with router task the number of labels.</summary>
    private static RunConfig WithText(RunConfig config)
    {
        bool needsLabels = config.Moe is { RoutesByLabel: true, Tasks: 0 };
        if (!needsLabels && config.Model.Vocabulary > 0)
            return config;
        int vocabulary = config.Data.TokenizerFile.Length > 0 ? CorpusLoader.OfFile(config.Data).Vocabulary
            : TokenizerType.Of(config.Data.Tokenizer).Vocabulary; // 0: the text tells
        return !needsLabels && vocabulary > 0 ? config.WithVocabulary(vocabulary) : Corpus.Load(config.Data).Complete(config);
    }
}
