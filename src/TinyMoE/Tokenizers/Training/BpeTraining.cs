using TinyMoE.Memory;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// Trains a tokenizer: texts come one after the other, then the merges are found. The result does not depend on the number of threads.
/// </summary>
/// <param name="recipe">What tokenizer it is to be.</param>
/// <param name="threads">Threads to count words on.</param>
/// <param name="progress">Is told how far it is, perhaps on another thread: after every mebibyte, and after some hundred merges.</param>
internal sealed class BpeTraining(BpeRecipe recipe, int threads, Action<TokenizerProgress>? progress = null)
{
    private readonly BpeTrainerOptions options = recipe.ToOptions();
    private readonly WordCounter counter = new(recipe.Style, threads);
    private long bytes;

    /// <summary>Counts the words of texts in UTF-8.</summary>
    public void Add(IEnumerable<View<byte>> texts, CancellationToken stop) => counter.Add(texts, Read, stop);

    /// <summary>Finds the merges.</summary>
    public TrainedTokenizer Train(CancellationToken stop)
    {
        WordCounts counts = counter.Counts;
        BpeVocabulary trained = BpeTrainer.Train(counts, options, Tell, stop);
        byte[] file = BpeFile.Of(recipe, trained);
        return new TrainedTokenizer(file, trained.Tokens.Count, trained.Merges.Count, counts.Total, counts.Count, trained.TextTokens);
    }

    private void Read(int more)
    {
        bytes += more;
        Tell(0);
    }

    private void Tell(int tokens) => progress?.Invoke(new TokenizerProgress(bytes, tokens));
}
