using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Tokenizers;

namespace TinyMoE.App;

/// <summary>An earlier state of a model, which is asked how it routes the tokens of a trace.</summary>
internal sealed class EarlierModel : IDisposable
{
    private readonly OpenedModel opened;
    private readonly Decoder model;
    private readonly Tracer tracer;
    private readonly RouterSaturation saturation = new();

    private EarlierModel(OpenedModel opened, Decoder model, Backend backend) =>
        (this.opened, this.model, tracer) = (opened, model, new Tracer(backend, model));

    /// <summary>The saturation of each layer, as far as batches were compared.</summary>
    public IReadOnlyList<LayerSaturation> Saturation => saturation.Layers;

    /// <summary>Opens it on the same backend.</summary>
    /// <exception cref="TinyMoEException">It cannot be used, or has other tokens or experts.</exception>
    public static EarlierModel Open(ModelFolder folder, OpenedModel later, Tokenizer tokenizer, Backend backend)
    {
        OpenedModel opened = OpenedModel.Open(folder);
        try
        {
            RequireComparable(folder, opened, later, tokenizer);
            return new EarlierModel(opened, opened.LoadModel(backend), backend);
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    /// <summary>The batches as they are, each compared as it passes.</summary>
    public IEnumerable<TraceBatch> Compared(IEnumerable<TraceBatch> batches)
    {
        foreach (TraceBatch batch in batches)
        {
            saturation.Add(tracer.Again(batch), batch);
            yield return batch;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        model.Dispose();
        opened.Dispose();
    }

    private static void RequireComparable(ModelFolder folder, OpenedModel opened, OpenedModel later, Tokenizer tokenizer)
    {
        (RunConfig own, RunConfig other) = (opened.Config, later.Config);
        string? difference = own.Moe.Experts == 0 || other.Moe.Experts == 0 ? "a dense model chooses nothing"
            : own.Moe.Experts != other.Moe.Experts ? $"it has {own.Moe.Experts} experts, not {other.Moe.Experts}"
            : !Mixtures(own).SequenceEqual(Mixtures(other)) ? "it has its experts in other layers"
            : own.Model.Context < other.Model.Context ? $"it has a context of {own.Model.Context}, not {other.Model.Context}"
            : !opened.LoadTokenizer().HasTokensOf(tokenizer) ? "it has other tokens"
            : null;
        if (difference is not null)
            throw new TinyMoEException($"{folder} cannot be compared: {difference}; name an earlier state of the same model");
    }

    private static IEnumerable<int> Mixtures(RunConfig config) => Enumerable.Range(0, config.Model.Layers).Where(config.Moe.InLayer);
}
