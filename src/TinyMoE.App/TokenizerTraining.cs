using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Training;

namespace TinyMoE.App;

/// <summary>A request to train a tokenizer.</summary>
/// <param name="Sources">Files, folders or globs of text, or the built-in one.</param>
/// <param name="Recipe">What tokenizer it is to be.</param>
/// <param name="File">The <c>tokenizer.json</c> to write.</param>
public sealed record TokenizerRequest(IReadOnlyList<string> Sources, BpeRecipe Recipe, string File)
{
    /// <summary>Whether a file that is there may be replaced.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Threads to count words on; null: all processors. The result is the same for any number.</summary>
    public int? Threads { get; init; }
}

/// <summary>A tokenizer that was trained and written.</summary>
/// <param name="File">Where it is.</param>
/// <param name="Vocabulary">Number of tokens, fewer than asked for if the text ran out of pairs.</param>
/// <param name="Merges">Number of merges.</param>
/// <param name="Bytes">Bytes of text it was trained on.</param>
/// <param name="Words">Words of the text.</param>
/// <param name="DifferentWords">How many of them are different.</param>
/// <param name="Tokens">How many tokens the text has.</param>
/// <param name="Notes">What a person should know of how the text was read, one line each.</param>
public sealed record TokenizerOutcome(
    string File, int Vocabulary, int Merges, long Bytes, long Words, int DifferentWords, long Tokens, IReadOnlyList<string> Notes);

/// <summary>Trains a tokenizer on texts and writes its file.</summary>
public static class TokenizerTraining
{
    /// <summary>Trains, and tells <paramref name="progress"/> how far it is; writes nothing if it is stopped.</summary>
    /// <exception cref="TinyMoEException">The file is there already, or the texts or the recipe cannot be used.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static TokenizerOutcome Run(
        TokenizerRequest request, Action<TokenizerProgress>? progress = null, CancellationToken stop = default)
    {
        CheckFile(request);
        long bytes = 0;
        BpeTraining training = new(request.Recipe, request.Threads ?? Environment.ProcessorCount, progress);
        TextNotes notes = new();
        TextSource.ReadEach(
            request.Sources,
            TextCleaning.Characters,
            notes,
            text =>
            {
                bytes += text.Length;
                training.Add([text.View(0, text.Length)], stop);
            },
            stop);
        TrainedTokenizer trained = training.Train(stop);
        CheckFile(request);
        AtomicFile.Write(request.File, stream => stream.Write(trained.File));
        return new TokenizerOutcome(
            request.File, trained.Tokens, trained.Merges, bytes, trained.Words, trained.DifferentWords, trained.TextTokens, notes.Lines);
    }

    private static void CheckFile(TokenizerRequest request)
    {
        if (string.IsNullOrWhiteSpace(request.File))
            throw new RequestException($"the name of the tokenizer's file is empty; name one by {Setting.Folder}");
        if (Directory.Exists(request.File))
            throw new RequestException($"{request.File} is a folder; name the file to write by {Setting.Folder}");
        if (!request.Overwrite && Path.Exists(request.File))
            throw new RequestException($"{request.File} is there already; {Setting.Overwrite} replaces it, {Setting.Folder} names another");
    }
}
