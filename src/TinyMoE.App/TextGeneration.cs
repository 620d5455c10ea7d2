using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to write text.</summary>
/// <param name="Model">Where the model is.</param>
public sealed record GenerationRequest(ModelFolder Model)
{
    /// <summary>The text to go on from; empty: the model begins by itself.</summary>
    public string Prompt { get; init; } = "";

    /// <summary>Tokens to go on from, in place of a prompt, with nothing added; null: the prompt.</summary>
    public IReadOnlyList<int>? Ids { get; init; }

    /// <summary>Texts that end the text; they are not written.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>Tokens that end the text; they are not written.</summary>
    public IReadOnlySet<int> StopTokens { get; init; } = new HashSet<int>();

    /// <summary>Number of tokens to write.</summary>
    public int Tokens { get; init; } = 300;

    /// <summary>Settings for drawing tokens.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>The label to write by, which models of router task need and no others know; null: none.</summary>
    public string? Label { get; init; }

    /// <summary>The device that computes.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>Is told what a model writes; called on the thread that generates.</summary>
public interface ITextListener
{
    /// <summary>Called before the first text, for each thing that a person should know of the run or the prompt.</summary>
    void OnNote(NoteReport note)
    {
    }

    /// <summary>
    /// Called for every token with its text, empty while the bytes of a character are incomplete; bytes that are incomplete at the end are
    /// no text. Where the model has no tokenizer, the last call has the ids, with commas between them.
    /// </summary>
    void OnText(string text);
}

/// <summary>A text that a model wrote by itself.</summary>
/// <param name="Text">The text, without blanks around it.</param>
/// <param name="Label">The label it was written by; null: none.</param>
/// <param name="Prompt">A beginning that the model's tokenizer knows, to go on from; null: none was found.</param>
public sealed record TextSample(string Text, string? Label, string? Prompt = null);

/// <summary>Lets a trained model write text.</summary>
public static class TextGeneration
{
    private const int SampleTokens = 400;
    private const string UsualPrompt = "The";

    /// <summary>
    /// Writes text piece by piece to <paramref name="listener"/>, the prompt not included; on <paramref name="stop"/> ends after the
    /// token in hand. Gives what was written.
    /// </summary>
    /// <exception cref="TinyMoEException">The run, the device, the prompt, the label or an option cannot be used.</exception>
    public static GeneratedText Run(GenerationRequest request, ITextListener listener, CancellationToken stop = default)
    {
        request.Sampling.Validate();
        using OpenedModel opened = OpenedModel.Open(request.Model);
        Tokenizer? tokenizer = request.Ids is null ? opened.LoadTokenizer() : opened.FindTokenizer();
        int? label = LabelOf(request.Label, request.Model, opened.Config, opened.LoadLabels);
        using Backend backend = request.Device.Open(opened.Config);
        using Decoder model = opened.LoadModel(backend);
        foreach (NoteReport note in opened.Notes)
            listener.OnNote(note);
        IReadOnlyList<int> start = request.Ids ?? StartOf(request.Prompt, request.Model, tokenizer!, opened);
        if (start.Count > model.Config.Model.Context)
            listener.OnNote(CutOff(start.Count, model.Config.Model.Context));
        Generator generator = new(backend, model)
        {
            Label = label,
            Writable = tokenizer is null ? null : Writable(tokenizer, model.Config.Model.Vocabulary),
            StopTokens = new HashSet<int>([.. request.StopTokens, .. opened.Generation.StopIds]),
        };
        TextGenerator writer = new(generator, tokenizer) { StopTexts = [.. request.StopTexts, .. opened.Generation.StopTexts] };
        GeneratedText written = writer.Write(start, request.Tokens, request.Sampling, listener.OnText, stop);
        if (tokenizer is null)
            listener.OnText(string.Join(',', written.Ids));
        return written;
    }

    /// <summary>
    /// A short text by the best model of a run that was trained; by the first label, where its router needs one. On
    /// <paramref name="stop"/> it ends early.
    /// </summary>
    public static TextSample Sample(TrainingRequest trained, CancellationToken stop = default)
    {
        using Checkpoint checkpoint = Checkpoint.Open(RunFolder.FindCheckpoint(trained.Folder));
        string? label = trained.Config.Moe.RoutesByLabel ? checkpoint.LoadLabels()?[0] : null;
        Collector collected = new();
        Run(
            new GenerationRequest(trained.Folder)
            {
                Tokens = SampleTokens,
                Sampling = new SamplingOptions { Temperature = 0.6f },
                Device = trained.Device,
                Label = label,
            },
            collected,
            stop);
        string text = collected.ToString().Trim();
        return new TextSample(text, label, PromptOf(text, checkpoint.LoadTokenizer()));
    }

    /// <summary>The tokens to go on from; without a prompt those that a text of the model begins with.</summary>
    internal static int[] StartOf(string prompt, ModelFolder folder, Tokenizer tokenizer, OpenedModel opened)
    {
        if (prompt.Length > 0)
            return tokenizer.EncodeWithSpecial(prompt);
        if (opened.Generation.BeginId is not { } begin)
            return tokenizer.Start;
        int vocabulary = opened.Config.Model.Vocabulary;
        return begin < vocabulary ? [begin] : throw new TinyMoEException(
            $"{folder} begins texts with bos_token_id={begin}, and its model knows ids from 0 to {vocabulary - 1} only; "
            + "give a prompt");
    }

    /// <summary>The ids that are tokens; null where all are.</summary>
    internal static int[]? Writable(Tokenizer tokenizer, int vocabulary)
    {
        int[] tokens = [.. Enumerable.Range(0, tokenizer.Vocabulary).Where(IsToken)];
        return tokens.Length == vocabulary ? null : tokens;

        bool IsToken(int id) => tokenizer.ByteCount(id) > 0 || tokenizer.IsSpecial(id) || tokenizer.TokenText(id).Length > 0;
    }

    private static NoteReport CutOff(int length, int context) => new(
        0, $"the prompt has {length} tokens, more than the model's context of {context}: only the last {context} are read");

    /// <summary>"The ", or the first word of a text, where the tokenizer does not know that.</summary>
    private static string? PromptOf(string text, Tokenizer tokenizer)
    {
        IEnumerable<string> words = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Prepend(UsualPrompt);
        return words.SelectMany(word => (string[])[word + " ", word]).FirstOrDefault(Knows);

        bool Knows(string prompt)
        {
            try
            {
                return tokenizer.Encode(prompt).Length > 0;
            }
            catch (TinyMoEException)
            {
                return false;
            }
        }
    }

    /// <summary>The number of the label to write by, which router task needs and no other knows.</summary>
    internal static int? LabelOf(string? label, ModelFolder folder, RunConfig config, Func<LabelSet?> load)
    {
        bool needed = config.Moe.RoutesByLabel;
        if (label is null && !needed)
            return null;
        if (!needed)
        {
            throw new RequestException(
                $"{Setting.Label} is for models of moe.router=task, and {folder} holds none; leave it out");
        }

        LabelSet labels = load() ?? throw new TinyMoEException(
            $"{folder} has no labels.json, which moe.router=task needs; the checkpoint is damaged, use another");
        return label is not null
            ? labels.Find(label)
            : throw new RequestException($"moe.router=task writes by a label; name one by {Setting.Label}: {string.Join(", ", labels)}");
    }

    private sealed class Collector : ITextListener
    {
        private readonly System.Text.StringBuilder text = new();

        public void OnText(string text) => this.text.Append(text);

        public override string ToString() => text.ToString();
    }
}
