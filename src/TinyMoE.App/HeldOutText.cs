using TinyMoE.Data;

namespace TinyMoE.App;

/// <summary>What was held out of a run's own text in training, window by window, as an evaluation reads it.</summary>
internal sealed class HeldOutText
{
    private readonly Corpus corpus;
    private readonly int context;

    private HeldOutText(Corpus corpus, int context) => (this.corpus, this.context) = (corpus, context);

    /// <summary>Windows that there are.</summary>
    public int Windows => corpus.ValidationWindows(context);

    /// <summary>Reads it.</summary>
    /// <exception cref="TinyMoEException">The model is of others, or the text is gone, has changed, or is too short.</exception>
    public static HeldOutText Read(ModelFolder folder, CancellationToken stop = default)
    {
        using OpenedModel opened = OpenedModel.Open(folder);
        if (opened.Run is null or { IsImported: true })
            throw new TinyMoEException($"{folder} was trained by others, on what is not known here: there is no held-out text of it.");
        EvaluationRequest request = new(folder);
        EvaluatedText text = EvaluatedText.Read(request, opened, opened.Config.Data, stop);
        int context = EvaluatedText.ContextOf(request, opened);
        text.Corpus.CheckContext(context);
        return new HeldOutText(text.Corpus, context);
    }

    /// <summary>The ids of a window, from 0 (T).</summary>
    public int[] Ids(int window)
    {
        int[] inputs = new int[context], targets = new int[context];
        corpus.ValidationWindow(window, inputs, targets);
        return inputs;
    }

    /// <summary>The text of ids, special tokens among it.</summary>
    public string Text(int[] ids) => corpus.Tokenizer.Decode(ids, skipSpecial: false);
}
