using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A text to measure a model by: of the run's own what was held out in training, another one whole.</summary>
internal sealed class EvaluatedText
{
    private EvaluatedText(IReadOnlyList<string> sources, Corpus corpus, bool isOwn, IEnumerable<string> notes) =>
        (Sources, Corpus, IsOwn, Notes) = (sources, isOwn ? corpus : corpus.AllHeldOut(), isOwn, [.. notes]);

    /// <summary>The texts, as they were named.</summary>
    public IReadOnlyList<string> Sources { get; }

    /// <summary>The ids; what is to be measured is held out.</summary>
    public Corpus Corpus { get; }

    /// <summary>Whether it is the very text that the run was trained on.</summary>
    public bool IsOwn { get; }

    /// <summary>What a person should know of it.</summary>
    public IReadOnlyList<string> Notes { get; }

    /// <summary>Reads the texts that are asked for, or the run's own, which <paramref name="own"/> names.</summary>
    public static EvaluatedText Read(EvaluationRequest request, OpenedModel model, DataConfig own, CancellationToken stop)
    {
        Tokenizer tokenizer = model.LoadTokenizer();
        LabelSet? labels = model.LoadLabels();
        string fingerprint = model.Run?.State.Fingerprint ?? ImportedRun.Fingerprint;
        if (request.Sources is null && fingerprint == ImportedRun.Fingerprint)
        {
            throw new RequestException(
                $"{request.Model} was trained by others, on what is not known here: name a text by {Setting.Sources}");
        }

        if (request.Sources is null)
            return ReadOwn(request, tokenizer, labels, own, fingerprint, stop);

        DataConfig data = own with { Sources = [.. request.Sources.Select(Source.Absolute)] };
        data = request.Labels is null ? data : (new RunConfig { Data = data }).With("data.labels", request.Labels).Data;
        Corpus corpus = Corpus.Load(data, tokenizer, labels, stop);
        bool isOwn = corpus.Fingerprint == fingerprint;
        bool isKnown = !isOwn && fingerprint != ImportedRun.Fingerprint; // what it was trained on, beside the text
        return new EvaluatedText(request.Sources, corpus, isOwn, isKnown ? corpus.Notes.Concat(Known(data, own)) : corpus.Notes);
    }

    /// <summary>The windows that are asked for, read until <paramref name="stop"/> is cancelled.</summary>
    /// <exception cref="TinyMoEException">A window is longer than the model's context, or the text is too short for one.</exception>
    public (IEvaluationSource Windows, MeasuredText Measured) Windows(EvaluationRequest request, OpenedModel model, CancellationToken stop)
    {
        int context = ContextOf(request, model);
        Corpus.CheckContext(context);
        int all = Corpus.ValidationWindows(context), count = Math.Min(request.Windows ?? all, all);
        IEvaluationSource windows = Corpus.ForEvaluation(context, [.. Enumerable.Range(0, count)]);
        return (new StoppableSource(windows, stop), new MeasuredText(Sources, IsOwn, count, all));
    }

    /// <summary>Tokens of a window: as asked for, or as usual for the model.</summary>
    public static int ContextOf(EvaluationRequest request, OpenedModel model)
    {
        int most = model.Config.Model.Context;
        if (request.Context > most)
            throw new TinyMoEException($"{request.Model} has a context of {most} tokens, less than a window of {request.Context}");
        return request.Context ?? (model.Run is null ? Math.Min(most, Evaluating.UsualContext) : most);
    }

    private static EvaluatedText ReadOwn(
        EvaluationRequest request, Tokenizer tokenizer, LabelSet? labels, DataConfig own, string fingerprint, CancellationToken stop)
    {
        foreach (Source source in own.Sources.Select(Source.Parse))
        {
            if (source.IsSdkDocs || Source.IsPattern(source.Path) || Path.Exists(source.Path))
                continue;
            string what = $"There is no {source.Path}{Place(own)}, the text of the run in {request.Model}";
            throw new RequestException($"{what}: bring it back, or measure another by {Setting.Sources}");
        }

        Corpus corpus;
        try
        {
            corpus = Corpus.Load(own, tokenizer, labels, stop);
        }
        catch (UnknownTextException)
        {
            throw Changed(request, own);
        }
        catch (TinyMoEException e)
        {
            string where = $"{e.Message.TrimEnd('.')}; this is the text of the run in {request.Model}{Place(own)}";
            throw new RequestException($"{where}: bring it back, or measure another by {Setting.Sources}");
        }

        return corpus.Fingerprint == fingerprint
            ? new EvaluatedText(own.Sources, corpus, isOwn: true, corpus.Notes)
            : throw Changed(request, own);
    }

    private static RequestException Changed(EvaluationRequest request, DataConfig own)
    {
        string what = $"{string.Join(", ", own.Sources)}{Place(own)} is not the text that the run in {request.Model} was trained on";
        return new RequestException($"{what}, it has changed: bring it back as it was, or measure another text by {Setting.Sources}");
    }

    /// <summary>Where paths were looked for that runs of earlier versions kept as they were typed.</summary>
    private static string Place(DataConfig own) =>
        own.Sources.Any(source => Source.Absolute(source) != source) ? $" (looked for from {Environment.CurrentDirectory})" : "";

    /// <summary>Notes on text that is not the run's own, but where that is or was.</summary>
    private static IEnumerable<string> Known(DataConfig data, DataConfig own)
    {
        string[] trained = [.. own.Sources.Select(PathOf)];
        string[] met = [.. data.Sources.Select(PathOf).Where(path => trained.Any(other => IsWithin(path, other) || IsWithin(other, path)))];
        if (met.Length > 0)
        {
            yield return $"{string.Join(", ", met)}: the run was trained on text from there, so the model may know part of what is "
                + "measured here";
        }
    }

    private static string PathOf(string source) => Path.TrimEndingDirectorySeparator(Source.Parse(Source.Absolute(source)).Path);

    private static bool IsWithin(string path, string folder) =>
        path == folder || (path.StartsWith(folder, StringComparison.Ordinal) && path[folder.Length] == Path.DirectorySeparatorChar);
}
