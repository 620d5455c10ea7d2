using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Golden;
using TinyMoE.Tokenizers;
using TinyMoE.Tokenizers.Normalizers;
using TinyMoE.Tokenizers.Training;

namespace TinyMoE.Tests.Tokenizers.Training;

/// <summary>Trained tokenizers of every style: their files, read by ourselves and by Hugging Face's own library.</summary>
public sealed class TrainedTokenizerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public static TheoryData<TokenizerStyle> Styles => [.. Enum.GetValues<TokenizerStyle>()];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Styles))]
    public void Train_EveryStyle_GivesTextsBack(TokenizerStyle style)
    {
        Tokenizer tokenizer = BpeTokenizer.Read(Train(style).File, "tokenizer.json");
        Assert.Equal(1000, tokenizer.Vocabulary);
        for (int seed = 1; seed <= 100; seed++)
        {
            string text = RandomText.Of(seed);
            string back = style switch
            {
                TokenizerStyle.Qwen2 => Composed(text),
                TokenizerStyle.Sentencepiece => text.Replace('▁', ' '),
                _ => text,
            };
            Assert.Equal(back, tokenizer.Decode(tokenizer.Encode(text)));
        }
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void Train_EveryStyle_CutsAsHuggingFaceDoes(TokenizerStyle style)
    {
        string path = folder.Write("tokenizer.json", Train(style).File);
        Tokenizer tokenizer = Tokenizer.Load(path);
        global::Tokenizers.DotNet.Tokenizer other;
        try
        {
            other = new global::Tokenizers.DotNet.Tokenizer(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or TypeInitializationException)
        {
            Assert.Skip($"The library of Hugging Face cannot be loaded here: {e.Message}");
            return;
        }

        for (int seed = 1; seed <= 100; seed++)
        {
            string text = RandomText.Of(seed).Replace("\0", "", StringComparison.Ordinal); // the binding ends texts there
            Assert.Equal(other.Encode(text).Select(id => (int)id), tokenizer.EncodeWithSpecial(text));
        }
    }

    [Theory]
    [MemberData(nameof(Styles))]
    public void Train_OnAnyNumberOfThreads_WritesTheSameFile(TokenizerStyle style) =>
        Assert.Equal(Train(style).File, Train(style, threads: 3).File);

    [Theory]
    [InlineData(TokenizerStyle.Gpt2)]
    [InlineData(TokenizerStyle.Qwen2)]
    public void Train_TextTokens_AreThoseOfTheText(TokenizerStyle style)
    {
        TrainedTokenizer trained = Train(style);
        Tokenizer tokenizer = BpeTokenizer.Read(trained.File, "tokenizer.json");
        string[] lines = GoldenFile.Text("tokenizers/training/tinyshakespeare.txt").Split('\n');
        int whole = lines[..^1].Sum(line => tokenizer.Encode(line + "\n").Length);
        Assert.Equal(trained.TextTokens, whole + tokenizer.Encode(lines[^1]).Length);
    }

    [Fact]
    public void Train_WithSpecialTokens_FindsThemInTexts()
    {
        BpeRecipe recipe = new(300) { Special = ["<|user|>", "<|end|>"] };
        Tokenizer tokenizer = BpeTokenizer.Read(Train(recipe, "a b a b\n").File, "tokenizer.json");
        Assert.Equal(["<|endoftext|>", "<|user|>", "<|end|>"], Enumerable.Range(0, 3).Select(tokenizer.TokenText));
        Assert.Equal([1, tokenizer.FindToken("a")!.Value, 2], tokenizer.Encode("<|user|>a<|end|>"));
        Assert.True(tokenizer.IsSpecial(2));
    }

    [Fact]
    public void Train_Sentencepiece_FallsBackToBytes()
    {
        Tokenizer tokenizer = BpeTokenizer.Read(
            Train(new BpeRecipe(300, TokenizerStyle.Sentencepiece), "ab ab ab\n").File, "tokenizer.json");
        Assert.Equal(["<unk>", "<s>", "</s>", "<0x00>"], Enumerable.Range(0, 4).Select(tokenizer.TokenText));
        Assert.Equal(["▁ab", "<0xC3>", "<0xA9>"], tokenizer.Encode("abé").Select(tokenizer.TokenText));
        Assert.Equal([1, .. tokenizer.Encode("ab")], tokenizer.EncodeWithSpecial("ab"));
    }

    [Fact]
    public void Train_Sentencepiece_LimitOfTheAlphabet_KeepsTheCommonest()
    {
        BpeRecipe recipe = new(259 + 3, TokenizerStyle.Sentencepiece) { MostCharacters = 3 };
        Tokenizer tokenizer = BpeTokenizer.Read(Train(recipe, "aaab aaab x\n").File, "tokenizer.json");
        Assert.Equal(["a", "b", "▁"], Enumerable.Range(259, 3).Select(tokenizer.TokenText));
    }

    [Theory]
    [InlineData(256, "", "take at least 257")]
    [InlineData(2_000_000, "", "at most 1000000")]
    [InlineData(300, "<|endoftext|>", "<|endoftext|> is named twice, or style gpt2 has it already")]
    [InlineData(300, "a,a", "a is named twice")]
    [InlineData(300, "a,", "has no name")]
    public void Recipe_ThatCannotBe_IsRefused(int vocabulary, string special, string expected) => Assert.Contains(
        expected, OneLine.Of(() => new BpeRecipe(vocabulary) { Special = special.Length == 0 ? [] : special.Split(',') }.ToOptions()));

    private static string Composed(string text)
    {
        UnicodeNormalizer composing = new(composes: true, isCompatible: false);
        return Encoding.UTF8.GetString(composing.Apply(new AlignedText(Encoding.UTF8.GetBytes(text), 0)).Utf8);
    }

    private static TrainedTokenizer Train(TokenizerStyle style, int threads = 1) =>
        Train(new BpeRecipe(1000, style), GoldenFile.Text("tokenizers/training/tinyshakespeare.txt"), threads);

    private static TrainedTokenizer Train(BpeRecipe recipe, string text, int threads = 1)
    {
        using TextBuffer buffer = new();
        buffer.Append(text, Encoding.UTF8);
        BpeTraining training = new(recipe, threads);
        training.Add([buffer.View(0, buffer.Length)], default);
        return training.Train(default);
    }
}
