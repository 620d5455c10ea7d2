using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to write text.</summary>
/// <param name="Run">The folder of a run, or of a checkpoint.</param>
public sealed record GenerationRequest(string Run)
{
    /// <summary>The text to go on from; empty: the model begins by itself.</summary>
    public string Prompt { get; init; } = "";

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
    /// no text.
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
    /// token in hand.
    /// </summary>
    /// <exception cref="TinyMoEException">The run, the device, the prompt or the label cannot be used.</exception>
    public static void Run(GenerationRequest request, ITextListener listener, CancellationToken stop = default)
    {
        using Checkpoint checkpoint = Checkpoint.Open(RunFolder.FindCheckpoint(request.Run));
        Tokenizer tokenizer = checkpoint.LoadTokenizer();
        using Backend backend = request.Device.Open();
        using Decoder model = checkpoint.LoadModel(backend);
        checkpoint.Dispose(); // a training may replace it meanwhile
        foreach (NoteReport note in ModelInfo.NotesOf(checkpoint))
            listener.OnNote(note);
        int[] start = request.Prompt.Length > 0 ? tokenizer.Encode(request.Prompt) : tokenizer.Start;
        if (start.Length > model.Config.Model.Context)
            listener.OnNote(CutOff(start.Length, model.Config.Model.Context));
        TokenDecoder decoder = tokenizer.NewDecoder();
        Generator generator = new(backend, model)
        {
            Label = LabelOf(request, checkpoint, model.Config.Moe),
            Writable = Writable(tokenizer, model.Config.Model.Vocabulary),
        };
        foreach (int id in generator.Generate(start, request.Tokens, request.Sampling))
        {
            listener.OnText(decoder.Push(id));
            if (stop.IsCancellationRequested)
                break;
        }

        string rest = decoder.Flush().TrimEnd('\uFFFD'); // what is certain only now; bytes that are incomplete are no text
        if (rest.Length > 0)
            listener.OnText(rest);
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

    /// <summary>The ids that are tokens; null where all are.</summary>
    private static int[]? Writable(Tokenizer tokenizer, int vocabulary)
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
    private static int? LabelOf(GenerationRequest request, Checkpoint checkpoint, MoeConfig moe)
    {
        bool needed = moe.RoutesByLabel;
        if (request.Label is null && !needed)
            return null;
        if (!needed)
        {
            throw new RequestException(
                $"{Setting.Label} is for models of moe.router=task, and {request.Run} holds none; leave it out");
        }

        LabelSet labels = checkpoint.LoadLabels() ?? throw new TinyMoEException(
            $"{checkpoint.Folder} has no labels.json, which moe.router=task needs; the checkpoint is damaged, use another");
        return request.Label is { } label
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
