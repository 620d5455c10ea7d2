using TinyMoE.Configuration;
using TinyMoE.Memory;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Training;

namespace TinyMoE.Data;

/// <summary>
/// Makes a corpus of texts: reads them, finds or trains the tokenizer, and splits. Where tokens are of many characters the text is split
/// before it is cut into them: what is held out is the same text whatever the vocabulary, and the tokenizer is trained on the rest alone.
/// </summary>
internal static class CorpusLoader
{
    /// <summary>The corpus of what <paramref name="data"/> names; see <see cref="Corpus.Load"/>.</summary>
    public static Corpus Load(DataConfig data, Tokenizer? existing, LabelSet? known, CancellationToken stop)
    {
        Tokenizer? given = existing ?? (data.TokenizerFile.Length > 0 ? OfFile(data) : null);
        TokenizerType type = given?.Type ?? TokenizerType.Of(data.Tokenizer);
        using LabelledText text = new(known);
        try
        {
            TextSource.Read(data.Sources, data.Labels, type.Cleaning, text, stop);
            string where = string.Join(", ", data.Sources);
            List<string> notes = [.. given is null || existing is not null ? [] : given.Notes];
            if (type == BpeTokenizer.Description)
                return OfSplitText(data, given, text, where, notes, stop);
            Tokenizer tokenizer = given ?? type.Learn(text.Text.Bytes);
            (TokenIds ids, List<Stretch> stretches) = text.Encode(tokenizer, where, stop);
            return new Corpus(tokenizer, ids, data.Validation, text.Labels, stretches) { Notes = [.. text.Notes.Lines, .. notes] };
        }
        catch (OutOfMemoryException e)
        {
            throw new TinyMoEException(
                $"Out of memory: the system has no room for the text, of which {Size.Of(text.Text.Length)} are read. Name fewer files.", e);
        }
    }

    /// <summary>The tokenizer of the file that is named.</summary>
    internal static Tokenizer OfFile(DataConfig data)
    {
        Tokenizer tokenizer = TokenizerFiles.Load(data.TokenizerFile);
        return tokenizer.Type == TokenizerType.Of(data.Tokenizer) ? tokenizer : throw new TinyMoEException(
            $"{data.TokenizerFile} has a tokenizer of kind {tokenizer.Type.Name}, and data.tokenizer is another: set "
            + $"data.tokenizer={tokenizer.Type.Name}.");
    }

    private static Corpus OfSplitText(
        DataConfig data, Tokenizer? given, LabelledText text, string where, List<string> notes, CancellationToken stop)
    {
        (List<Stretch> train, List<Stretch> heldOut) = HeldOut.Choose(text.Stretches, data.Validation, place => StartOf(text.Text, place));
        Tokenizer tokenizer = given ?? Train(data, text.Text, train, notes, stop);
        HashSet<Stretch> toTrain = [.. train];
        Stretch[] bytes = [.. train.Concat(heldOut).OrderBy(stretch => stretch.Start)];
        (TokenIds ids, List<Stretch> tokens) = text.Encode(tokenizer, where, bytes, stop);
        ILookup<bool, Stretch> chosen = bytes.Zip(tokens).ToLookup(pair => toTrain.Contains(pair.First), pair => pair.Second);
        return new Corpus(tokenizer, ids, text.Labels, ([.. chosen[true]], [.. chosen[false]])) { Notes = [.. text.Notes.Lines, .. notes] };
    }

    /// <summary>A tokenizer trained on these stretches.</summary>
    private static BpeTokenizer Train(DataConfig data, TextBuffer text, List<Stretch> train, List<string> notes, CancellationToken stop)
    {
        BpeTraining training = new(new BpeRecipe(data.TokenizerVocabulary, data.TokenizerStyle), Environment.ProcessorCount);
        training.Add(Joined(train).Select(stretch => text.View(stretch.Start, stretch.End)), stop);
        TrainedTokenizer trained = training.Train(stop);
        if (trained.Tokens < data.TokenizerVocabulary)
        {
            notes.Add($"the tokenizer has {trained.Tokens} tokens: the text has no pairs left for "
                + $"data.tokenizer_vocabulary={data.TokenizerVocabulary}");
        }

        return BpeTokenizer.Read(trained.File, "the tokenizer that was trained on the text");
    }

    /// <summary>Stretches of which each ends where the next begins, as one.</summary>
    private static List<Stretch> Joined(List<Stretch> stretches)
    {
        List<Stretch> joined = [];
        foreach (Stretch stretch in stretches)
        {
            if (joined.Count > 0 && joined[^1].End == stretch.Start)
                joined[^1] = joined[^1] with { Length = stretch.End - joined[^1].Start };
            else
                joined.Add(stretch);
        }

        return joined;
    }

    /// <summary>Where the character begins that the byte at a place is of.</summary>
    private static int StartOf(TextBuffer text, int place)
    {
        while (place > 0 && (text.Bytes[place] & 0xC0) == 0x80)
            place--;
        return place;
    }
}
