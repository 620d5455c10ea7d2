using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Generate;

/// <summary>Where a text ends: at stop tokens, at stop texts; and what else bends what is chosen.</summary>
public sealed class StopTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    [Theory]
    [InlineData("one|two", "a|one|b", "a", true)]
    [InlineData("one|two", "a tw|o b", "a ", true)]
    [InlineData("one|two", "on|tw|in", "ontwin", false)]
    [InlineData("one", "o|n|e", "", true)]
    [InlineData("abab", "aba|bab", "", true)]
    [InlineData("aab", "aa|a|b", "a", true)]
    [InlineData("", "a|b", "ab", false)]
    [InlineData("b|ab", "xa|b", "x", true)]
    [InlineData("<end>", "1 < 2 <e|x", "1 < 2 <ex", false)]
    public void StopTexts_AcrossPieces_EndTheText(string stops, string pieces, string expected, bool found)
    {
        StopTexts stop = new(stops.Length == 0 ? [] : stops.Split('|'));
        string text = string.Concat(pieces.Split('|').Select(stop.Push)) + stop.Flush();

        Assert.Equal((expected, found), (text, stop.Found));
        Assert.Equal("", stop.Found ? stop.Push("more") : "");
    }

    [Fact]
    public void StopTexts_HoldBack_OnlyWhatMayBeABeginning()
    {
        StopTexts stop = new(["<|end|>"]);

        Assert.Equal("a", stop.Push("a<"));
        Assert.Equal("<b", stop.Push("b"));
        Assert.Equal("", stop.Push("<|en"));
        Assert.Equal("<|en", stop.Push("<|e"));
        Assert.Equal("<|e", stop.Flush());
        Assert.Contains("empty", OneLine.Of(() => _ = new StopTexts(["a", ""])));
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("switch-head")]
    public void Greedy_WithStopAndPenalty_WithCacheEqualsWithout(string name)
    {
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, TestModels.Named(name));
        SamplingOptions penalised = Greedy with { RepetitionPenalty = 1.3f };
        int[] Write(bool useCache, IReadOnlySet<int> stops, SamplingOptions options) =>
            [.. new Generator(backend, model, useCache) { StopTokens = stops }.Generate([1, 2, 3], 60, options)];

        int[] all = Write(true, new HashSet<int>(), penalised);
        Assert.Equal(all, Write(false, new HashSet<int>(), penalised));
        Assert.NotEqual(all, Write(true, new HashSet<int>(), Greedy));

        int stopToken = all[20];
        int[] stopped = Write(true, new HashSet<int> { stopToken }, penalised);
        Assert.Equal(all[..(Array.IndexOf(all, stopToken) + 1)], stopped);
        Assert.Equal(stopped, Write(false, new HashSet<int> { stopToken }, penalised));
    }

    [Fact]
    public void Options_OutOfRange_AreRefusedByName()
    {
        Assert.Contains("temperature", OneLine.Of(() => new SamplingOptions { Temperature = -1 }.Validate()));
        Assert.Contains("temperature", OneLine.Of(() => new SamplingOptions { Temperature = float.NaN }.Validate()));
        Assert.Contains("top-k", OneLine.Of(() => new SamplingOptions { TopK = -1 }.Validate()));
        Assert.Contains("top-p", OneLine.Of(() => new SamplingOptions { TopP = 0 }.Validate()));
        Assert.Contains("min-p", OneLine.Of(() => new SamplingOptions { MinP = 1.5f }.Validate()));
        Assert.Contains("repetition penalty", OneLine.Of(() => new SamplingOptions { RepetitionPenalty = 0 }.Validate()));
    }

    [Fact]
    public void Generate_WithFewerKnownTokens_ChoosesNoOther()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        SamplingOptions hot = new() { Temperature = 5 };
        int[] Write(int? known)
        {
            int[]? writable = known is { } n ? [.. Enumerable.Range(0, n)] : null;
            return [.. new Generator(backend, model) { Writable = writable }.Generate([28, 1], 200, hot)];
        }


        Assert.Contains(Write(null), id => id >= 5);
        Assert.All(Write(5), id => Assert.InRange(id, 0, 4));
        Assert.Equal(Write(null), Write(29));
        Assert.Contains("the id 29", OneLine.Of(() => _ = new Generator(backend, model).Generate([29], 1, hot).First()));
        Assert.Contains("the id -1", OneLine.Of(() => _ = new Generator(backend, model).Generate([-1], 1, hot).First()));
    }

    [Fact]
    public void Write_TellsWhyItEnded_AndStreamsItsText()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, Bytes(64));
        GeneratedText Write(IReadOnlyList<string> texts, IReadOnlySet<int> tokens, out string streamed, CancellationToken stop = default)
        {
            List<string> pieces = [];
            Generator generator = new(backend, model) { StopTokens = tokens };
            GeneratedText written = new TextGenerator(generator, new ByteTokenizer()) { StopTexts = texts }
                .Write([65, 66], 30, Greedy with { RepetitionPenalty = 2 }, pieces.Add, stop);
            streamed = string.Concat(pieces);
            Assert.Equal(written.Text, streamed);
            return written;
        }

        GeneratedText all = Write([], new HashSet<int>(), out _);
        Assert.Equal((30, GenerationEnd.Length), (all.Ids.Count, all.End));

        int token = all.Ids[10];
        GeneratedText byToken = Write([], new HashSet<int> { token }, out _);
        Assert.Equal(GenerationEnd.StopToken, byToken.End);
        Assert.Equal(all.Ids.Take(all.Ids.ToList().IndexOf(token) + 1), byToken.Ids);
        Assert.Equal(new ByteTokenizer().NewDecoderText(byToken.Ids.SkipLast(1)), byToken.Text);

        string stopText = all.Text.Substring(8, 3); // across tokens
        GeneratedText byText = Write([stopText], new HashSet<int>(), out _);
        Assert.Equal((all.Text[..all.Text.IndexOf(stopText, StringComparison.Ordinal)], GenerationEnd.StopText), (byText.Text, byText.End));
        Assert.Equal(GenerationEnd.Cancelled, Write([], new HashSet<int>(), out _, new CancellationToken(canceled: true)).End);
    }

    internal static RunConfig Bytes(int context) => TestModels.Tiny with
    {
        Model = TestModels.Tiny.Model with { Vocabulary = 256, Context = context },
    };
}

/// <summary>Text of ids as a stream gives it: what is incomplete at the end is none.</summary>
internal static class StreamedText
{
    public static string NewDecoderText(this Tokenizer tokenizer, IEnumerable<int> ids)
    {
        TokenDecoder decoder = tokenizer.NewDecoder();
        return string.Concat(ids.Select(decoder.Push));
    }
}
