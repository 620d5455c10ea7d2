using TinyMoE.Backends;
using TinyMoE.Files;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to tell how likely a model finds a text, token by token; one of text and ids is given.</summary>
/// <param name="Model">Where the model is.</param>
public sealed record ScoreRequest(ModelFolder Model)
{
    /// <summary>The text; it gets what the tokenizer puts around a text.</summary>
    public string? Text { get; init; }

    /// <summary>The file of the text, in UTF-8, instead of <see cref="Text"/>.</summary>
    public string? File { get; init; }

    /// <summary>The ids, to which nothing is added.</summary>
    public IReadOnlyList<int>? Ids { get; init; }

    /// <summary>The safetensors file for the logits (T, V); null: none is written.</summary>
    public string? Logits { get; init; }

    /// <summary>Experts that the model does without, or sends every token to; null: none.</summary>
    public ExpertChanges? Changes { get; init; }

    /// <summary>The device that computes.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>A token and what the model thinks of it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">The token as its tokenizer writes it; null: the model has no tokenizer.</param>
/// <param name="LogProbability">Its log-probability after the tokens before it, to the base e; null of the first.</param>
/// <param name="Rank">1 for the likeliest, 2 for the next; null of the first.</param>
public sealed record ScoredToken(int Id, string? Text, double? LogProbability, int? Rank)
{
    /// <summary>Its log-probability without the changes that were asked for; null of the first, and where none were.</summary>
    public double? Unchanged { get; init; }
}

/// <summary>The scores of a text.</summary>
/// <param name="Tokens">Every token.</param>
/// <param name="Sum">The sum of the log-probabilities.</param>
/// <param name="Perplexity">e to the mean of their negatives; null of one token alone.</param>
/// <param name="BitsPerByte">
/// The bits that the tokens after the first cost, per byte that they stand for; null where there are none, or no tokenizer.
/// </param>
/// <param name="Notes">What a person should know of the model.</param>
public sealed record ScoreResult(
    IReadOnlyList<ScoredToken> Tokens, double Sum, double? Perplexity, double? BitsPerByte, IReadOnlyList<NoteReport> Notes);

/// <summary>Tells how likely a model finds a text.</summary>
public static class Scoring
{
    /// <summary>Scores a text or ids.</summary>
    /// <exception cref="TinyMoEException">The model, the text, the device or the file cannot be used.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static ScoreResult Run(ScoreRequest request, CancellationToken stop = default)
    {
        using OpenedModel opened = OpenedModel.Open(request.Model);
        opened.RequireOutside(request.Logits, "logits");
        Tokenizer? tokenizer = request.Ids is null ? opened.LoadTokenizer() : opened.FindTokenizer();
        IReadOnlyList<int> ids = request.Ids ?? tokenizer!.EncodeWithSpecial(
            request.File is { } file ? TextFile.Read(file) : request.Text ?? "");
        if (ids.Count == 0)
            throw new TinyMoEException("the text has no token to score");
        Interventions? interventions = request.Changes?.For(opened.Config);
        using Backend backend = request.Device.Open(opened.Config);
        using Decoder model = opened.LoadModel(backend);
        Scorer scorer = new(backend, model) { Interventions = interventions };
        IReadOnlyList<TokenScore?> scores = request.Logits is { } path
            ? WithLogits(scorer, ids, model.Config.Model.Vocabulary, path, stop)
            : scorer.Score(ids, stop: stop);
        ScoreResult result = Summarise(ids, scores, tokenizer, opened.Notes);
        return interventions is null ? result : WithUnchanged(result, new Scorer(backend, model).Score(ids, stop: stop));
    }

    private static ScoreResult Summarise(
        IReadOnlyList<int> ids, IReadOnlyList<TokenScore?> scores, Tokenizer? tokenizer, IReadOnlyList<NoteReport> notes)
    {
        ScoredToken[] tokens = [.. ids.Zip(scores, (id, score) => new ScoredToken(id, TextOf(id), score?.LogProbability, score?.Rank))];
        double sum = tokens.Sum(token => token.LogProbability ?? 0);
        int count = tokens.Length - 1;
        long bytes = tokenizer is null ? 0 : ids.Skip(1).Where(id => id < tokenizer.Vocabulary).Sum(id => (long)tokenizer.ByteCount(id));
        return new ScoreResult(
            tokens, sum, count == 0 ? null : Math.Exp(-sum / count), bytes == 0 ? null : -sum / Math.Log(2) / bytes, notes);

        string? TextOf(int id) => tokenizer is null ? null : id < tokenizer.Vocabulary ? tokenizer.TokenText(id) : "";
    }

    private static ScoreResult WithUnchanged(ScoreResult result, IReadOnlyList<TokenScore?> whole) => result with
    {
        Tokens = [.. result.Tokens.Zip(whole, (token, score) => token with { Unchanged = score?.LogProbability })],
    };

    /// <summary>Scores, and writes the logits as they come: all together they may be large.</summary>
    private static IReadOnlyList<TokenScore?> WithLogits(
        Scorer scorer, IReadOnlyList<int> ids, int vocabulary, string path, CancellationToken stop)
    {
        IReadOnlyList<TokenScore?>? scores = null;
        AtomicFile.Write(path, stream =>
        {
            stream.Write(SafetensorsWriter.Header(
                [new SafetensorsPlace("logits", [ids.Count, vocabulary], SafetensorsType.Float32)], metadata: null));
            scores = scorer.Score(ids, rows => stream.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(rows)), stop);
        });
        return scores!;
    }
}
