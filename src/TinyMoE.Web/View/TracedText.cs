using TinyMoE.App;
using TinyMoE.Backends;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tokenizers;

namespace TinyMoE.Web.View;

/// <summary>One expert that a token went to.</summary>
/// <param name="Expert">The expert.</param>
/// <param name="Gate">What its output is multiplied by.</param>
/// <param name="Served">False where it was full and the choice was dropped.</param>
internal readonly record struct TracedChoice(int Expert, float Gate, bool Served);

/// <summary>A token of a text, and what a model makes of it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">What it stands for.</param>
/// <param name="Loss">−log of its probability, in nats; NaN of the first.</param>
/// <param name="Rank">1 for the likeliest; 0 of the first.</param>
/// <param name="Predictions">The likeliest to follow, with their probabilities.</param>
/// <param name="Choices">By mixture, in the order of <see cref="TracedText.Layers"/>.</param>
/// <param name="Entropies">By mixture, of the router's probabilities, in nats; NaN for none.</param>
internal sealed record TracedToken(
    int Id, string Text, float Loss, int Rank, (string Text, float Probability)[] Predictions, TracedChoice[][] Choices, float[] Entropies)
{
    /// <summary>The expert with the largest gate in a mixture; null: it went to none.</summary>
    public int? Top(int mixture) => Choices[mixture] is { Length: > 0 } all ? all.MaxBy(choice => choice.Gate).Expert : null;

    /// <summary>The share of the largest of its gates in a mixture: 1 where one expert decides; NaN where it went to none.</summary>
    public float Agreement(int mixture)
    {
        float sum = Choices[mixture].Sum(choice => choice.Gate);
        return sum > 0 ? Choices[mixture].Max(choice => choice.Gate) / sum : float.NaN;
    }
}

/// <summary>A text through a model, token by token.</summary>
/// <param name="Tokens">The tokens.</param>
/// <param name="Layers">The number of each mixture's layer, from 0.</param>
/// <param name="Experts">Experts of each of them.</param>
/// <param name="Changed">The losses again with experts ablated, per token; empty where none are.</param>
internal sealed record TracedText(TracedToken[] Tokens, int[] Layers, int[] Experts, float[] Changed)
{
    /// <summary>Tokens at most: what a page shows without stutter.</summary>
    public const int MostTokens = 4096;

    private const int Predictions = 5;

    /// <summary>The mean loss of all tokens after the first.</summary>
    public double Loss => Mean(Tokens.Select(token => token.Loss));

    /// <summary>The same with experts ablated; NaN where none are.</summary>
    public double ChangedLoss => Mean(Changed);

    /// <summary>Follows a text through a model, and once more without the <paramref name="ablated"/> experts.</summary>
    /// <exception cref="TinyMoEException">The model or the text cannot be used.</exception>
    public static TracedText Of(ModelFolder folder, string text, IReadOnlyList<ExpertId> ablated, DeviceChoice device)
    {
        using OpenedModel opened = OpenedModel.Open(folder);
        if (opened.Config.Moe.RoutesByLabel)
            throw new TinyMoEException("A model of moe.router=task needs the label of a text; use 'tinymoe trace' on labelled text.");
        Tokenizer tokenizer = opened.LoadTokenizer();
        int[] ids = tokenizer.EncodeWithSpecial(text);
        if (ids.Length is 0 or > MostTokens)
            throw new TinyMoEException($"The text has {ids.Length} tokens; a page takes 1 to {MostTokens}.");
        Interventions? without = ablated.Count == 0 ? null : Interventions.Of(opened.Config, ablated);
        using Backend backend = device.Open(opened.Config);
        using Decoder model = opened.LoadModel(backend);
        TraceBatch[] batches = [.. new Tracer(backend, model, Predictions).Trace(ids)];
        float[] changed = without is null ? []
            : [.. new Tracer(backend, model, 0, without).Trace(ids).SelectMany(batch => Traced(batch).Select(n => batch.Losses[n]))];
        TracedToken[] tokens = [.. batches.SelectMany(batch => Traced(batch).Select(n => Token(batch, n, tokenizer)))];
        IReadOnlyList<TraceLayer> layers = batches[0].Layers;
        return new TracedText(tokens, [.. layers.Select(layer => layer.Layer)], [.. layers.Select(layer => layer.Experts)], changed);
    }

    private static IEnumerable<int> Traced(TraceBatch batch) => Enumerable.Range(0, batch.Ids.Length).Where(n => batch.Traced[n]);

    private static TracedToken Token(TraceBatch batch, int n, Tokenizer tokenizer)
    {
        int P = batch.Predictions;
        return new TracedToken(
            batch.Ids[n],
            Words(tokenizer, batch.Ids[n]),
            batch.Losses[n],
            batch.Ranks[n],
            [.. Enumerable.Range(n * P, P).Select(i => (Words(tokenizer, batch.PredictedIds[i]), batch.PredictedProbabilities[i]))],
            [.. batch.Layers.Select(layer => Choices(layer, n))],
            [.. batch.Layers.Select(layer => layer.Entropy?[n] ?? float.NaN)]);
    }

    private static TracedChoice[] Choices(TraceLayer layer, int n) =>
        [.. Enumerable.Range(layer.Offsets[n], layer.Offsets[n + 1] - layer.Offsets[n])
            .Select(i => new TracedChoice(layer.Expert[i], layer.Gate[i], layer.Served[i]))];

    /// <summary>What a token stands for; where that is a part of a character only, how its tokenizer writes it.</summary>
    private static string Words(Tokenizer tokenizer, int id)
    {
        if (id >= tokenizer.Vocabulary)
            return $"[{id}]";
        ReadOnlySpan<byte> bytes = tokenizer.Bytes(id);
        return bytes.IsEmpty || tokenizer.IsSpecial(id) || !System.Text.Unicode.Utf8.IsValid(bytes)
            ? tokenizer.TokenText(id) : System.Text.Encoding.UTF8.GetString(bytes);
    }

    private static double Mean(IEnumerable<float> losses)
    {
        double[] known = [.. losses.Where(float.IsFinite).Select(loss => (double)loss)];
        return known.Length == 0 ? double.NaN : known.Average();
    }
}
