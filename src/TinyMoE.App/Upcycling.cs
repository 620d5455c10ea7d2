using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Surgery;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to make a mixture of dense models.</summary>
/// <param name="Models">The dense models; of several, alike in all but their weights, each gives experts.</param>
/// <param name="Folder">The folder of the new run.</param>
public sealed record UpcycleRequest(IReadOnlyList<ModelFolder> Models, string Folder)
{
    /// <summary>Keys of the mixture and their values, those of <c>moe</c> and <c>train</c>.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Changes { get; init; } = [];

    /// <summary>What the experts begin as.</summary>
    public UpcycleOptions Options { get; init; } = new();

    /// <summary>The text that both models are measured on; null: what was held out of the first model's own.</summary>
    public IReadOnlyList<string>? Sources { get; init; }

    /// <summary>Windows of that text; 0: nothing is measured.</summary>
    public int Windows { get; init; } = 16;

    /// <summary>The device that measures.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>The losses before and after, on the same windows.</summary>
/// <param name="Dense">Of each dense model.</param>
/// <param name="Mixture">Of the mixture.</param>
/// <param name="Text">What was measured.</param>
public sealed record UpcycleLosses(IReadOnlyList<EvalReport> Dense, EvalReport Mixture, MeasuredText Text)
{
    /// <summary>How much the mixture loses against the best dense model (nats per token).</summary>
    public double Jump => Mixture.Loss - Dense.Min(report => report.Loss);
}

/// <summary>A mixture that was made.</summary>
/// <param name="Config">Its configuration.</param>
/// <param name="Scale">What its experts' down projections were multiplied by.</param>
/// <param name="Differences">Why its first step does not compute the dense model; none: it does.</param>
/// <param name="Losses">What was measured; null: nothing was.</param>
/// <param name="Notes">What a person should know.</param>
public sealed record UpcycleResult(
    RunConfig Config, float Scale, IReadOnlyList<string> Differences, UpcycleLosses? Losses, IReadOnlyList<NoteReport> Notes)
{
    /// <summary>Weights of the mixture.</summary>
    public long Weights { get; } = Decoder.Plan(Config).Sum(parameter => (long)parameter.Count);
}

/// <summary>Makes mixtures of dense models.</summary>
public static class Upcycling
{
    /// <summary>
    /// Writes the mixture as a run, which a training begins with (<c>train --init</c>), and measures what it is worth before it learns.
    /// </summary>
    /// <exception cref="TinyMoEException">A model cannot be read or is no dense one, the mixture cannot be, or the folder is taken.
    /// </exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static UpcycleResult Run(UpcycleRequest request, CancellationToken stop = default)
    {
        RunFolder run = new(request.Folder);
        using FileLock held = run.Lock();
        if (run.HasRun)
            throw new RequestException($"{request.Folder} holds a run already; name a new folder by {Setting.Folder}");
        Training.CheckFolder(run, resume: false, overwrite: false);
        List<OpenedModel> models = [];
        List<IWeightSource> weights = [];
        try
        {
            foreach (ModelFolder folder in request.Models)
            {
                models.Add(OpenedModel.Open(folder));
                RequireAlike(models[0], models[^1], folder);
            }

            UpcyclePlan plan = UpcyclePlan.Make(models[0].Config, request.Changes, request.Options);
            int E = plan.Config.Moe.Experts;
            if (E % models.Count != 0)
                throw new TinyMoEException($"{E} experts cannot be of {models.Count} models, of each as many; set another moe.experts.");
            weights.AddRange(models.Select(model => model.OpenWeights()));
            UpcycledWeights made = new(plan, weights);
            List<NoteReport> notes = [.. models.SelectMany(model => model.Notes)];
            if (plan.Config.Moe.GatesAreConstant)
                notes.Add(new NoteReport(0, "every gate is 1, so that the router learns nothing of a text; set moe.renormalize=false"));
            Tokenizer? tokenizer = models[0].FindTokenizer();
            UpcycleLosses? losses = Measure(request, models, weights, made, plan, tokenizer, notes, stop);
            ImportedRun.Write(run, plan.Config, made, tokenizer, models[0].Companions);
            return new UpcycleResult(plan.Config, plan.Scale, plan.Differences(models.Count), losses, notes);
        }
        finally
        {
            weights.ForEach(source => (source as IDisposable)?.Dispose());
            models.ForEach(model => model.Dispose());
        }
    }

    private static void RequireAlike(OpenedModel first, OpenedModel other, ModelFolder folder)
    {
        if (first.Config.Model != other.Config.Model || first.Config.Attention != other.Config.Attention)
            throw new RequestException($"{folder} has another shape than {first.Folder}; experts can be made of like models only");
        if (first.FindTokenizer() is { } tokens && other.FindTokenizer() is { } others && !others.HasTokensOf(tokens))
            throw new RequestException($"{folder} has other tokens than {first.Folder}; experts can be made of models of like tokens only");
    }

    private static UpcycleLosses? Measure(
        UpcycleRequest request, List<OpenedModel> models, List<IWeightSource> weights, UpcycledWeights made, UpcyclePlan plan,
        Tokenizer? tokenizer, List<NoteReport> notes, CancellationToken stop)
    {
        if (request.Windows == 0)
            return null;
        OpenedModel first = models[0];
        bool hasText = request.Sources is not null || first.Run is { IsImported: false };
        if (tokenizer is null || !hasText)
        {
            string why = tokenizer is null ? "the model has no tokenizer" : "the text it was trained on is not known here; name one";
            notes.Add(new NoteReport(0, $"nothing was measured: {why}"));
            return null;
        }

        EvaluationRequest asked = new(request.Models[0]) { Sources = request.Sources, Windows = request.Windows };
        EvaluatedText text = EvaluatedText.Read(asked, first, first.Config.Data, stop);
        (IEvaluationSource windows, MeasuredText measured) = text.Windows(asked, first, stop);
        using Backend backend = request.Device.Open(plan.Config);
        List<EvalReport> before = [];
        foreach ((OpenedModel opened, IWeightSource source) in models.Zip(weights))
        {
            ModelSize.RequireRoomToGenerate(opened.Config, backend, source);
            using Decoder dense = new(backend, opened.Config, training: false, weights: source);
            before.Add(Evaluation.Run(backend, dense, windows, opened.Step).Report);
        }

        using Decoder mixture = new(backend, plan.Config, training: false, weights: made);
        return new UpcycleLosses(before, Evaluation.Run(backend, mixture, windows, step: 0).Report, measured);
    }
}
