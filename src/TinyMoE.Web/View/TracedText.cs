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
    /// <summary>By mixture (E), the router's probabilities; empty of a router that has none.</summary>
    public ReadOnlyMemory<float>[] Probabilities { get; init; } = [];

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

    /// <summary>The mean loss of all tokens after the first.</summary>
    public double Loss => Mean(Tokens.Select(token => token.Loss));

    /// <summary>The same with experts ablated; NaN where none are.</summary>
    public double ChangedLoss => Mean(Changed);

    private static double Mean(IEnumerable<float> losses)
    {
        double[] known = [.. losses.Where(float.IsFinite).Select(loss => (double)loss)];
        return known.Length == 0 ? double.NaN : known.Average();
    }
}
