using TinyMoE.App;
using TinyMoE.Backends;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tokenizers;

namespace TinyMoE.Web.View;

/// <summary>A model that is open for texts to be followed through it, on the thread that opened it.</summary>
internal sealed class TracedModel : IDisposable
{
    private const int Predictions = 5;

    private readonly ModelFolder folder;
    private readonly OpenedModel opened;
    private readonly Tokenizer tokenizer = null!;
    private readonly Backend backend = null!;
    private readonly Decoder model = null!;
    private HeldOutText? heldOut;

    private TracedModel(ModelFolder folder, OpenedModel opened, DeviceChoice device)
    {
        (this.folder, this.opened) = (folder, opened);
        try
        {
            if (opened.Config.Moe.RoutesByLabel)
                throw new TinyMoEException("A model of moe.router=task needs the label of a text; use 'tinymoe trace' on labelled text.");
            tokenizer = opened.LoadTokenizer();
            backend = device.Open(opened.Config);
            model = opened.LoadModel(backend);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The step of the model, of a run.</summary>
    public int Step => opened.Step;

    /// <summary>What was held out of its own text in training; read when it is first wanted.</summary>
    /// <exception cref="TinyMoEException">There is none.</exception>
    public HeldOutText HeldOut => heldOut ??= HeldOutText.Read(folder);

    /// <summary>Opens a model.</summary>
    /// <exception cref="TinyMoEException">It cannot be opened, or texts cannot be followed through it.</exception>
    public static TracedModel Open(ModelFolder folder, DeviceChoice device) => new(folder, OpenedModel.Open(folder), device);

    /// <summary>The ids of a text, with what its tokenizer puts around one.</summary>
    /// <exception cref="TinyMoEException">The tokenizer does not know a character of it.</exception>
    public int[] Encode(string text) => tokenizer.EncodeWithSpecial(text);

    /// <summary>Follows a text through the model, and once more without the <paramref name="ablated"/> experts.</summary>
    /// <exception cref="TinyMoEException">There are too many tokens or none, or there is no such expert.</exception>
    public TracedText Trace(int[] ids, IReadOnlyList<ExpertId> ablated)
    {
        if (ids.Length is 0 or > TracedText.MostTokens)
            throw new TinyMoEException($"The text has {ids.Length} tokens; a page takes 1 to {TracedText.MostTokens}.");
        Interventions? without = ablated.Count == 0 ? null : Interventions.Of(opened.Config, ablated);
        TraceBatch[] batches = [.. new Tracer(backend, model, Predictions).Trace(ids)];
        float[] changed = without is null ? []
            : [.. new Tracer(backend, model, 0, without).Trace(ids).SelectMany(batch => Traced(batch).Select(n => batch.Losses[n]))];
        TracedToken[] tokens = [.. batches.SelectMany(batch => Traced(batch).Select(n => Token(batch, n)))];
        IReadOnlyList<TraceLayer> layers = batches[0].Layers;
        return new TracedText(tokens, [.. layers.Select(layer => layer.Layer)], [.. layers.Select(layer => layer.Experts)], changed);
    }

    public void Dispose()
    {
        model?.Dispose();
        backend?.Dispose();
        opened.Dispose();
    }

    private static IEnumerable<int> Traced(TraceBatch batch) => Enumerable.Range(0, batch.Ids.Length).Where(n => batch.Traced[n]);

    private TracedToken Token(TraceBatch batch, int n)
    {
        int P = batch.Predictions;
        return new TracedToken(
            batch.Ids[n],
            Words(batch.Ids[n]),
            batch.Losses[n],
            batch.Ranks[n],
            [.. Enumerable.Range(n * P, P).Select(i => (Words(batch.PredictedIds[i]), batch.PredictedProbabilities[i]))],
            [.. batch.Layers.Select(layer => Choices(layer, n))],
            [.. batch.Layers.Select(layer => layer.Entropy?[n] ?? float.NaN)])
        {
            Probabilities = [.. batch.Layers.Select(layer => ProbabilitiesOf(layer, n))],
        };
    }

    private static TracedChoice[] Choices(TraceLayer layer, int n) =>
        [.. Enumerable.Range(layer.Offsets[n], layer.Offsets[n + 1] - layer.Offsets[n])
            .Select(i => new TracedChoice(layer.Expert[i], layer.Gate[i], layer.Served[i]))];

    private static ReadOnlyMemory<float> ProbabilitiesOf(TraceLayer layer, int n) =>
        layer.Probabilities?.AsMemory(n * layer.Experts, layer.Experts) ?? ReadOnlyMemory<float>.Empty;

    /// <summary>What a token stands for; where that is a part of a character only, how its tokenizer writes it.</summary>
    private string Words(int id)
    {
        if (id >= tokenizer.Vocabulary)
            return $"[{id}]";
        ReadOnlySpan<byte> bytes = tokenizer.Bytes(id);
        return bytes.IsEmpty || tokenizer.IsSpecial(id) || !System.Text.Unicode.Utf8.IsValid(bytes)
            ? tokenizer.TokenText(id) : System.Text.Encoding.UTF8.GetString(bytes);
    }
}
