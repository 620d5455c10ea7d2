using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Bpe;
using TinyMoE.Tokenizers.Training;

namespace TinyMoE.Tests.Tokenizers.Training;

public sealed class WordCounterTests
{
    public static TheoryData<TokenizerStyle> Styles => [.. Enum.GetValues<TokenizerStyle>()];

    [Theory]
    [MemberData(nameof(Styles))]
    public void Cut_Lines_AsTheStepsOfTheFileDo(TokenizerStyle style)
    {
        BpeRecipe recipe = new(1000, style);
        byte[] file = BpeFile.Of(recipe, BpeTrainer.Train(new WordCounts(), recipe.ToOptions()));
        Pipeline steps = TokenizerJson.Read(file, "tokenizer.json");
        WordCutter cutter = WordCutter.Of(style);
        for (int seed = 1; seed <= 200; seed++)
        {
            foreach (string line in Lines(RandomText.Of(seed)))
            {
                WordCounts counts = new(), expected = new();
                cutter.Cut(Encoding.UTF8.GetBytes(line), counts);
                foreach (byte[] word in Words(steps, line))
                    expected.Add(word);
                Assert.Equal(Sorted(expected), Sorted(counts));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void Add_OnAnyNumberOfThreads_CountsTheSame(TokenizerStyle style)
    {
        using TextBuffer text = new();
        for (int seed = 1; text.Length < 3_000_000; seed++)
            text.Append(RandomText.Of(seed), Encoding.UTF8);
        WordCounter one = new(style, 1), four = new(style, 4), lines = new(style, 2);
        one.Add([text.View(0, text.Length)], null, default);
        four.Add([text.View(0, text.Length)], null, default);
        int middle = text.Bytes[..1_000_000].LastIndexOf((byte)'\n') + 1;
        lines.Add([text.View(0, middle), text.View(middle, text.Length)], null, default);
        Assert.Equal(Sorted(one.Counts), Sorted(four.Counts));
        Assert.Equal(Sorted(one.Counts), Sorted(lines.Counts));
    }

    [Fact]
    public void Add_Cancelled_Stops()
    {
        using TextBuffer text = new();
        text.Append("a b c\n"u8);
        Assert.ThrowsAny<OperationCanceledException>(
            () => new WordCounter(TokenizerStyle.Gpt2, 2).Add([text.View(0, text.Length)], null, new CancellationToken(true)));
    }

    private static List<byte[]> Words(Pipeline steps, string line)
    {
        AlignedText text = new(Encoding.UTF8.GetBytes(line), 0);
        text = steps.Normalizer?.Apply(text) ?? text;
        List<Piece> pieces = [];
        steps.PreTokenizer!.Split(new Piece(text, 0, text.Length), pieces);
        return [.. pieces.Where(piece => piece.End > piece.Start).Select(piece => piece.Utf8.ToArray())];
    }

    private static IEnumerable<string> Lines(string text)
    {
        while (text.Length > 0)
        {
            int end = text.IndexOf('\n', StringComparison.Ordinal) + 1;
            yield return end == 0 ? text : text[..end];
            text = end == 0 ? "" : text[end..];
        }
    }

    private static List<(string Word, long Times)> Sorted(WordCounts counts) =>
    [
        .. Enumerable.Range(0, counts.Count).Select(word => (Convert.ToHexString(counts[word]), counts.CountOf(word)))
            .OrderBy(word => word.Item1, StringComparer.Ordinal),
    ];
}
