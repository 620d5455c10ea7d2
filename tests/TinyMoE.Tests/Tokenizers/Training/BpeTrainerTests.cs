using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using TinyMoE.Tests.Golden;
using TinyMoE.Tokenizers.Training;

namespace TinyMoE.Tests.Tokenizers.Training;

public sealed class BpeTrainerTests
{
    [Fact]
    public void Train_OnShakespeare_MergesAsHuggingFaceDoes()
    {
        using JsonDocument golden = JsonDocument.Parse(GoldenFile.Text("tokenizers/training/shakespeare-gpt2.json"));
        JsonElement root = golden.RootElement;
        string[] alphabet = Strings(root.GetProperty("alphabet"));
        string[][] expected = [.. root.GetProperty("merges").EnumerateArray().Select(Strings)];
        WordCounts words = Count(GoldenFile.Text("tokenizers/training/tinyshakespeare.txt"), root.GetProperty("regex").GetString()!);

        BpeVocabulary trained = BpeTrainer.Train(words, new BpeTrainerOptions(alphabet.Length + 2000) { Bytes = true });

        Assert.Equal(alphabet, trained.Tokens.Take(alphabet.Length));
        Assert.Equal(expected, trained.Merges.Select(merge => (string[])[trained.Tokens[merge.Left], trained.Tokens[merge.Right]]));
        Assert.Equal(expected.Select(pair => pair[0] + pair[1]), trained.Tokens.Skip(alphabet.Length));
    }

    [Fact]
    public void Train_FromAllBytes_MakesTheSameMerges()
    {
        WordCounts words = Count(GoldenFile.Text("tokenizers/training/tinyshakespeare.txt"), @"\s?\S+|\s+");
        int seen = BpeTrainer.Train(words, new BpeTrainerOptions(1000) { Bytes = true }).Tokens.Count(token => token.Length == 1);
        BpeVocabulary few = BpeTrainer.Train(words, new BpeTrainerOptions(seen + 300) { Bytes = true });
        BpeVocabulary all = BpeTrainer.Train(
            words,
            new BpeTrainerOptions(2 + 256 + 300) { Bytes = true, InitialAlphabet = BpeRecipe.AllBytes, FirstTokens = ["<a>", "<b>"] });
        Assert.Equal(["<a>", "<b>", "!"], all.Tokens.Take(3));
        Assert.Equal(few.Tokens.Skip(seen), all.Tokens.Skip(258));
    }

    [Fact]
    public void Train_OnTextsFullOfTies_MergesAsTheNaiveTrainer()
    {
        for (int seed = 1; seed <= 300; seed++)
        {
            Random random = new(seed);
            Dictionary<string, long> counts = [];
            string letters = seed % 3 == 0 ? "ab" : seed % 3 == 1 ? "abcde" : "aé中🙂";
            for (int i = 0; i < 40; i++)
            {
                StringBuilder word = new();
                for (int length = random.Next(1, 12); length > 0; length--)
                    word.Append(letters.EnumerateRunes().ElementAt(random.Next(letters.EnumerateRunes().Count())));
                counts[word.ToString()] = random.Next(1, 4);
            }

            NaiveBpe naive = NaiveBpe.Train(counts, vocabulary: 150);
            BpeVocabulary trained = Train(counts, 150);
            Assert.Equal(naive.Tokens, trained.Tokens);
            Assert.Equal(naive.Merges, trained.Merges);
        }
    }

    [Fact]
    public void Train_WordsInAnyOrder_IsTheSame()
    {
        string[] words = [.. Enumerable.Range(0, 500).Select(i => $"w{i % 37}x{i % 11}yy{i % 5}")];
        BpeVocabulary trained = Train(Counted(words), 400), turned = Train(Counted(words.Reverse()), 400);
        Assert.Equal(trained.Tokens, turned.Tokens);
        Assert.Equal(trained.Merges, turned.Merges);
    }

    [Fact]
    public void Train_LeastFrequency_EndsMerges()
    {
        Dictionary<string, long> counts = new() { ["roses"] = 1, ["are"] = 2, ["red"] = 1, ["is"] = 2, ["big"] = 1 };
        BpeVocabulary trained = BpeTrainer.Train(Words(counts), new BpeTrainerOptions(1000) { LeastFrequency = 2 });
        Assert.Equal(["re", "are", "is"], trained.Tokens.Skip(9));
    }

    [Fact]
    public void Train_TextThatRunsOut_StopsBeforeTheVocabularyIsFull()
    {
        BpeVocabulary trained = Train(Counted(["abc"]), 1000);
        Assert.Equal(["a", "b", "c", "ab", "abc"], trained.Tokens);
        Assert.Equal([(0, 1), (3, 2)], trained.Merges);
    }

    [Fact]
    public void Train_FewerCharacters_LeavesOutTheRarest()
    {
        Dictionary<string, long> counts = new() { ["axb"] = 5, ["aby"] = 5, ["z"] = 1 };
        BpeVocabulary trained = BpeTrainer.Train(Words(counts), new BpeTrainerOptions(4) { MostCharacters = 3 });
        Assert.Equal(["a", "b", "x", "ab"], trained.Tokens); // x and y are equally common; without y, aby is ab
    }

    [Fact]
    public void Train_VocabularyBelowTheAlphabet_IsRefused()
    {
        TinyMoEException e = Assert.Throws<TinyMoEException>(
            () => BpeTrainer.Train(Words(Counted(["abc"])), new BpeTrainerOptions(3) { FirstTokens = ["<s>"] }));
        Assert.Contains("take at least 4", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_Cancelled_Stops()
    {
        string[] words = [.. Enumerable.Range(0, 3000).Select(i => (i * 7919).ToString("x8", null))];
        Assert.Throws<OperationCanceledException>(
            () => BpeTrainer.Train(Words(Counted(words)), new BpeTrainerOptions(3000), stop: new CancellationToken(true)));
    }

    private static BpeVocabulary Train(Dictionary<string, long> counts, int vocabulary) =>
        BpeTrainer.Train(Words(counts), new BpeTrainerOptions(vocabulary));

    private static Dictionary<string, long> Counted(IEnumerable<string> words) =>
        words.GroupBy(word => word).ToDictionary(word => word.Key, word => (long)word.Count());

    private static WordCounts Words(Dictionary<string, long> counts)
    {
        WordCounts words = new();
        foreach ((string word, long times) in counts)
            words.Add(Encoding.UTF8.GetBytes(word), times);
        return words;
    }

    private static WordCounts Count(string text, string regex)
    {
        WordCounts words = new();
        foreach (Match line in Regex.Matches(text, ".*\n|.+"))
        {
            foreach (Match word in Regex.Matches(line.Value, regex))
                words.Add(Encoding.UTF8.GetBytes(word.Value));
        }

        return words;
    }

    private static string[] Strings(JsonElement array) => [.. array.EnumerateArray().Select(element => element.GetString()!)];
}
