using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>Tells what a model is made of, without training it.</summary>
/// <param name="Name">What to call it: the folder of the run, or the name of the configuration.</param>
/// <param name="Config">The whole configuration, with what its text tells.</param>
/// <param name="Size">Its parameters, operations and memory.</param>
/// <param name="Notes">What a person should know of the configuration.</param>
public sealed record ModelInfo(string Name, RunConfig Config, ModelSize Size, IReadOnlyList<NoteReport> Notes)
{
    /// <summary>Looks at a choice, or at the configuration of <paramref name="run"/> with what the choice changes in it.</summary>
    /// <exception cref="TinyMoEException">There is no such run, the configuration is wrong, or its text cannot be read.</exception>
    public static ModelInfo Of(ConfigChoice choice, string? run = null)
    {
        using Checkpoint? checkpoint = run is null ? null : Checkpoint.Open(RunFolder.FindCheckpoint(run));
        checkpoint?.RequireWeights(checkpoint.Config);
        RunConfig config = choice.Resolve(checkpoint?.Config);
        config.Validate();
        config = WithText(config);
        return new ModelInfo(run ?? choice.Name, config, ModelSize.Of(config), NotesOf(ConfigNotes.Of(config)));
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
