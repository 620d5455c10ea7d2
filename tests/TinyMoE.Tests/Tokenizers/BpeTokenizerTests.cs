using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>Tokenizers of others where goldens do not reach: places, long texts, what is refused.</summary>
public sealed class BpeTokenizerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Encode_OneWordOfAMegabyte_TakesNoTimeForEver()
    {
        Tokenizer tokenizer = GoldenTokenizerTests.Load("gpt2-style");
        Stopwatch watch = Stopwatch.StartNew();
        foreach (string part in (string[])["a", "the", "ab"])
        {
            string text = string.Concat(Enumerable.Repeat(part, 1_000_000 / part.Length));
            Assert.Equal(text, tokenizer.Decode(tokenizer.Encode(text)));
        }

        Assert.True(watch.Elapsed < TimeSpan.FromMinutes(1), $"{watch.Elapsed}");
    }

    [Theory]
    [InlineData("gpt2-style", true)]
    [InlineData("llama3-style", true)]
    [InlineData("sentencepiece-style", false)]
    public void Encode_LongText_GivesTheIdsOfItsLines(string name, bool byLine)
    {
        Tokenizer tokenizer = GoldenTokenizerTests.Load(name);
        StringBuilder text = new();
        List<int> expected = [];
        Random random = new(1);
        while (text.Length < 1_500_000)
        {
            // Lines that end in a letter and a line feed, and begin with a letter: what they give does not depend on each other.
            string line = "Line " + RandomText.Next(random).Replace("<|endoftext|>", "x").Replace("</s>", "x") + "e\n";
            text.Append(line);
            expected.AddRange(tokenizer.Encode(line));
        }

        Ids ids = new([]);
        byte[] utf8 = Encoding.UTF8.GetBytes(text.ToString());
        tokenizer.Encode(utf8, "the text", ref ids);

        if (byLine)
            Assert.Equal(expected, ids.All.Select(token => token.Id));
        Assert.Equal(tokenizer.EncodeUtf8(utf8, "the text").ToArray(), ids.All.Select(token => token.Id));
        Assert.Equal(byLine ? text.ToString() : text.ToString().Replace('▁', ' '),
            tokenizer.Decode([.. ids.All.Select(token => token.Id)]));
        Assert.True(ids.All.Zip(ids.All.Skip(1)).All(pair => pair.First.Start <= pair.Second.Start));
    }

    [Fact]
    public void EncodeWithPlaces_Text_GivesTheStretchOfEachTokenInCodePoints()
    {
        Tokenizer tokenizer = GoldenTokenizerTests.Load("gpt2-style");

        IReadOnlyList<PlacedToken> tokens = tokenizer.EncodeWithPlaces("😀 the");

        Assert.Equal(" the", tokenizer.Decode([tokens[^1].Id]));
        Assert.Equal((1, 5), (tokens[^1].Start, tokens[^1].End));
        Assert.All(tokens.SkipLast(1), token => Assert.Equal((0, 1), (token.Start, token.End))); // each has a part of 😀
    }

    [Fact]
    public void EncodeWithPlaces_PostProcessorThatTrims_LeavesOutTheSpace()
    {
        Tokenizer tokenizer = Change("gpt2-style", json => json["post_processor"]!["trim_offsets"] = true);

        Assert.Equal((2, 5), tokenizer.EncodeWithPlaces("1 the") is [.., var last] ? (last.Start, last.End) : default);
    }

    [Fact]
    public void EncodeWithPlaces_PrefixAndSpecial_HaveTheirPlaces()
    {
        Tokenizer tokenizer = GoldenTokenizerTests.Load("sentencepiece-style");

        IReadOnlyList<PlacedToken> tokens = tokenizer.EncodeWithPlaces("the</s>", withSpecial: true);

        Assert.Equal(["<s>", "▁the", "</s>"], tokens.Select(token => tokenizer.TokenText(token.Id)));
        Assert.Equal([(0, 0), (0, 3), (3, 7)], tokens.Select(token => (token.Start, token.End)));
    }

    [Fact]
    public void EncodeWithPlaces_CharTokenizer_HasACharacterEach()
    {
        Tokenizer tokenizer = Tokenizer.For(TinyMoE.Configuration.TokenizerKind.Char, "aé😀"u8);

        Assert.Equal([(0, 1), (1, 2), (2, 3)], tokenizer.EncodeWithPlaces("😀éa").Select(token => (token.Start, token.End)));
    }

    [Fact]
    public void SaveThenLoad_Tokenizer_IsTheFileItself()
    {
        BpeTokenizer tokenizer = GoldenTokenizerTests.Load("llama3-style");
        tokenizer.Save(folder["copy.json"]);

        Assert.Equal(File.ReadAllBytes(Path.Combine(GoldenTokenizerTests.Folder("llama3-style"), "tokenizer.json")),
            File.ReadAllBytes(folder["copy.json"]));
        Assert.Same(BpeTokenizer.Description, Tokenizer.Load(folder["copy.json"]).Type);
    }

    [Fact]
    public void Special_TokensOfTheFile_AreTold()
    {
        BpeTokenizer tokenizer = GoldenTokenizerTests.Load("llama3-style");
        int begin = tokenizer.FindToken("<|begin_of_text|>")!.Value;

        Assert.True(tokenizer.IsSpecial(begin));
        Assert.False(tokenizer.IsSpecial(0));
        Assert.Equal("", tokenizer.Decode([begin]));
        Assert.Equal("<|begin_of_text|>", tokenizer.Decode([begin], skipSpecial: false));
        Assert.Empty(tokenizer.Bytes(begin).ToArray());
        Assert.Null(tokenizer.FindToken("<|nowhere|>"));
        Assert.Equal([begin], tokenizer.EncodeWithSpecial(""));
    }

    [Fact]
    public void Notes_TruncationAndPadding_AreLeftOutWithANote()
    {
        Tokenizer tokenizer = Change("gpt2-style", json => json["truncation"] = new JsonObject { ["max_length"] = 5 });

        Assert.Contains("truncation is left out", Assert.Single(tokenizer.Notes));
        Assert.Empty(GoldenTokenizerTests.Load("gpt2-style").Notes);
    }

    [Theory]
    [InlineData("/model/type", "\"Unigram\"", "model.type is 'Unigram'; TinyMoE knows BPE")]
    [InlineData("/model/dropout", "0.1", "model.dropout is 0.1; dropout is for training")]
    [InlineData("/model/unk_token", "\"nope\"", "model.unk_token is 'nope', which is not in model.vocab")]
    [InlineData("/model/new_key", "1", "model.new_key is not known")]
    [InlineData("/model/merges/0", "\"Ġ t h\"", "model.merges[0] is \"Ġ t h\", not two tokens")]
    [InlineData("/model/merges/0", "[\"Ġ\",\"q~q\"]", "'q~q' is not in model.vocab")]
    [InlineData("/model/merges/0", "\"Ġ z\"", null)]
    [InlineData("/model/merges", "7", "model.merges is not a list")]
    [InlineData("/model/vocab/a", "0", "has the id 0 twice")]
    [InlineData("/model/vocab/a", "1000000", "nearly all ids have no token")]
    [InlineData("/model/vocab/a", "-1", "model.vocab.a is -1, not a whole number")]
    [InlineData("/model/vocab/a", "1e99", "not a whole number")]
    [InlineData("/normalizer", "{\"type\":\"BertNormalizer\"}", "normalizer has the type 'BertNormalizer'")]
    [InlineData("/normalizer", "{\"type\":\"NFC\",\"locale\":\"de\"}", "normalizer.locale is not known")]
    [InlineData("/normalizer", "{}", "normalizer has no type")]
    [InlineData("/pre_tokenizer", "{\"type\":\"UnicodeScripts\"}", "pre_tokenizer has the type 'UnicodeScripts'")]
    [InlineData("/pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(a\"},\"behavior\":\"Isolated\",\"invert\":false}",
        "pre_tokenizer.pattern.Regex is '(a', in which a ( has no )")]
    [InlineData("/pre_tokenizer", "{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"Odd\"}",
        "pre_tokenizer.behavior is 'Odd'")]
    [InlineData("/pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"ab\"}",
        "pre_tokenizer.replacement is 'ab', not one character")]
    [InlineData("/pre_tokenizer", "{\"type\":\"Metaspace\",\"replacement\":\"a\",\"add_prefix_space\":false,\"prepend_scheme\":\"first\"}",
        "do not go together")]
    [InlineData("/post_processor", "{\"type\":\"BertProcessing\"}", "post_processor has the type 'BertProcessing'")]
    [InlineData("/post_processor",
        "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"x\",\"type_id\":0}}],\"special_tokens\":{}}",
        "names 'x'")]
    [InlineData("/decoder", "{\"type\":\"WordPiece\"}", "decoder has the type 'WordPiece'")]
    [InlineData("/decoder", "{\"type\":\"Strip\",\"content\":\" \",\"start\":-1,\"stop\":0}", "decoder.start is -1")]
    [InlineData("/added_tokens/0/id", "5", "added_tokens[0] has the id 5 for '<|endoftext|>'")]
    [InlineData("/added_tokens/0/content", "\"\\ud800\"", "added_tokens[0].content has half a surrogate pair")]
    [InlineData("/version", "\"2.0\"", "version is \"2.0\"; TinyMoE knows 1.0")]
    public void Load_WhatIsWrongOrNotKnown_IsOneLineWithThePlace(string pointer, string value, string? expected)
    {
        string path = folder.Write("tokenizer.json", Replace(Golden("gpt2-style"), pointer, value));

        if (expected == null)
            expected = "'Ġz' is not in model.vocab";
        string message = OneLine.Of(() => Tokenizer.Load(path));

        Assert.StartsWith(path + ": ", message);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void Load_NoJsonOrTooDeep_IsOneLine()
    {
        string deep = string.Concat(Enumerable.Repeat("{\"type\":\"Sequence\",\"normalizers\":[", 20)) + "{\"type\":\"NFC\"}"
            + string.Concat(Enumerable.Repeat("]}", 20));
        string deeper = string.Concat(Enumerable.Repeat("[", 100_000));

        Assert.Contains("deeper than 8", OneLine.Of(() => Read(Replace(Golden("gpt2-style"), "/normalizer", deep))));
        OneLine.Of(() => Read("{\"model\":" + deeper));
        OneLine.Of(() => Read("{\"model\":{}}"));
        OneLine.Of(() => Read("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"\\ud800\":0},\"merges\":[]}}"));
        OneLine.Of(() => Read("{\"model\":null}"));
        OneLine.Of(() => Read("{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[],\"vocab\":{}}}"));
    }

    private static Tokenizer Read(string json) => Tokenizer.Read(Encoding.UTF8.GetBytes(json), "tokenizer.json", TokenizerType.All);

    private static Tokenizer Change(string name, Action<JsonObject> change)
    {
        JsonObject json = JsonNode.Parse(Golden(name))!.AsObject();
        change(json);
        return Read(json.ToJsonString());
    }

    private static string Golden(string name) => File.ReadAllText(Path.Combine(GoldenTokenizerTests.Folder(name), "tokenizer.json"));

    // Puts a value as it is written, such as half a surrogate pair, to a place of a JSON text.
    private static string Replace(string json, string pointer, string value)
    {
        const string Mark = "\"~~mark~~\"";
        JsonNode root = JsonNode.Parse(json)!;
        string[] names = pointer.Split('/')[1..];
        JsonNode parent = names[..^1].Aggregate(root, (node, name) => node is JsonArray list ? list[int.Parse(name)]! : node[name]!);
        if (parent is JsonArray array)
            array[int.Parse(names[^1])] = Mark.Trim('"');
        else
            parent[names[^1]] = Mark.Trim('"');
        return root.ToJsonString().Replace(Mark, value, StringComparison.Ordinal);
    }

    private readonly struct Ids(List<(int Id, int Start)> all) : ITokenSink
    {
        public List<(int Id, int Start)> All => all;

        public void Add(int id, int start) => all.Add((id, start));
    }
}
