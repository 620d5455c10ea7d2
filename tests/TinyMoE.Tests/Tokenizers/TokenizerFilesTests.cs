using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>
/// The same tokenizers in the forms of others: vocab.json with merges.txt, tiktoken, SentencePiece; tokenizer_config.json.
/// </summary>
public sealed class TokenizerFilesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Open_FolderWithTokenizerJson_ReadsIt() => Assert.Equal(
        957, TokenizerFiles.Open(GoldenTokenizerTests.Folder("gpt2-style")).Vocabulary);

    [Fact]
    public void Open_VocabularyAndMerges_GivesTheSameIds()
    {
        JsonNode golden = Golden("gpt2-style");
        folder.Write("vocab.json", golden["model"]!["vocab"]!.ToJsonString());
        folder.Write("merges.txt", "#version: 0.2\n"
            + string.Join('\n', golden["model"]!["merges"]!.AsArray().Select(merge => (string)merge!)) + "\n");
        folder.Write("tokenizer_config.json",
            """{"bos_token":"<|endoftext|>","eos_token":{"content":"<|endoftext|>"},"tokenizer_class":"GPT2Tokenizer"}""");

        CheckGolden("gpt2-style", TokenizerFiles.Open(folder.Root));
        CheckGolden("gpt2-style", TokenizerFiles.Read(folder["merges.txt"]));
    }

    [Fact]
    public void Read_Tiktoken_GivesTheIdsOfTheMerges()
    {
        // A token for each byte, then the results of the merges: what the rank of a token is.
        JsonNode golden = Golden("gpt2-style");
        List<string> tokens = [.. golden["model"]!["vocab"]!.AsObject().Where(token => token.Key.Length == 1).Select(token => token.Key)];
        foreach (JsonNode? merge in golden["model"]!["merges"]!.AsArray())
            tokens.Add(((string)merge!).Replace(" ", "", StringComparison.Ordinal));
        StringBuilder lines = new();
        foreach ((int rank, string token) in tokens.Index())
            lines.Append(Convert.ToBase64String(TinyMoE.Tokenizers.Bpe.ByteCharacters.BytesOf(token)!)).Append(' ').Append(rank).Append(
                '\n');
        string path = folder.Write("tokenizer.model", lines.ToString());

        Tokenizer tokenizer = TokenizerFiles.Read(path, "gpt2");
        BpeTokenizer expected = GoldenTokenizerTests.Load("gpt2-style");

        foreach (string text in GoldenTokenizerTests.Cases("gpt2-style",
            "encode").Select(golden => golden.GetProperty("text").GetString()!))
        {
            if (text.Contains("<|endoftext|>", StringComparison.Ordinal))
                continue;
            Assert.Equal(expected.Encode(text).Select(expected.TokenText), tokenizer.Encode(text).Select(tokenizer.TokenText));
        }

        Assert.Contains("which does not tell by which pattern words are cut", OneLine.Of(() => TokenizerFiles.Open(folder.Root)));
        Assert.Contains("'p50k' is no pattern", OneLine.Of(() => TokenizerFiles.Read(path, "p50k")));
    }

    [Theory]
    [InlineData("YQ== 0\nYg== 2\n", "line 2, has the rank 2")]
    [InlineData("YQ== 0\nYQ== 1\n", "line 2, has a token that was there before")]
    [InlineData("YQ== 0\n!!! 1\n", "line 2, is '!!! 1'")]
    [InlineData("YQ== 0\nYg== 1 2\n", "line 2, is 'Yg== 1 2'")]
    public void Read_WrongTiktoken_NamesTheLine(string lines, string expected) => Assert.Contains(
        expected, OneLine.Of(() => TokenizerFiles.Read(folder.Write("a.tiktoken", lines), "gpt2")));

    [Fact]
    public void Read_SentencePiece_GivesTheSameIds()
    {
        string path = folder.Write("tokenizer.model", SentencePiece(Golden("sentencepiece-style"), type: 2));
        folder.Write("tokenizer_config.json", """{"bos_token":"<s>","eos_token":"</s>","add_bos_token":true,"add_eos_token":false}""");

        CheckGolden("sentencepiece-style", TokenizerFiles.Open(folder.Root));
        CheckGolden("sentencepiece-style", TokenizerFiles.Read(path));
    }

    [Fact]
    public void Read_SentencePieceThatIsNotKnown_IsRefusedByName()
    {
        JsonNode golden = Golden("sentencepiece-style");

        Assert.Contains("of type Unigram", OneLine.Of(() => TokenizerFiles.Read(folder.Write("u.model", SentencePiece(golden, type: 1)))));
        Assert.Contains("'nmt_nfkc'", OneLine.Of(
            () => TokenizerFiles.Read(folder.Write("n.model", SentencePiece(golden, type: 2, charsmap: "nmt_nfkc")))));
        byte[] cut = SentencePiece(golden, type: 2);
        Assert.Contains("wrong at byte", OneLine.Of(() => TokenizerFiles.Read(folder.Write("c.model", cut[..1000]))));
        Assert.Contains("no tokenizer that TinyMoE knows",
            OneLine.Of(() => TokenizerFiles.Read(folder.Write("e.model", Array.Empty<byte>()))));
        Assert.Contains("has no tokenizer", OneLine.Of(() => TokenizerFiles.Open(Path.Combine(folder.Root, "none"))));
    }

    [Fact]
    public void Config_StringsObjectsAndTemplates_AreRead()
    {
        folder.Write("tokenizer_config.json", """
            {"bos_token":{"content":"<s>","lstrip":false},"eos_token":"</s>","unk_token":null,"add_bos_token":true,
             "chat_template":[{"name":"default","template":"A"},{"name":"tool_use","template":"B"}],
             "model_max_length":1e30,"tokenizer_class":"X"}
            """);

        TokenizerConfig config = TokenizerConfig.Open(folder.Root);
        Assert.Equal(("<s>", "</s>", null, null), (config.BeginToken, config.EndToken, config.UnknownToken, config.PadToken));
        Assert.Equal((true, null, null, "X"), (config.AddsBegin, config.AddsEnd, config.LongestText, config.ClassName));
        Assert.Equal(("A", "B"), (config.ChatTemplate, config.ChatTemplates["tool_use"]));

        folder.Write("chat_template.jinja", "C");
        folder.Write("tokenizer_config.json", """{"chat_template":"A","model_max_length":512}""");
        Assert.Equal(("C", 512), (TokenizerConfig.Open(folder.Root).ChatTemplate, TokenizerConfig.Open(folder.Root).LongestText!.Value));

        folder.Write("tokenizer_config.json", """{"bos_token":7}""");
        Assert.Contains("bos_token is not a text", OneLine.Of(() => TokenizerConfig.Open(folder.Root)));
        Assert.Same(TokenizerConfig.None, TokenizerConfig.Open(Path.Combine(folder.Root, "none")));
    }

    private static JsonNode Golden(string name) =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenTokenizerTests.Folder(name), "tokenizer.json")))!;

    private static void CheckGolden(string name, Tokenizer tokenizer)
    {
        foreach (JsonElement golden in GoldenTokenizerTests.Cases(name, "encode"))
        {
            int[] ids = [.. golden.GetProperty("ids_with_special").EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(ids, tokenizer.EncodeWithSpecial(golden.GetProperty("text").GetString()!));
            Assert.Equal(golden.GetProperty("decoded").GetString(), tokenizer.Decode(ids, skipSpecial: false));
        }
    }

    // A model as SentencePiece writes it: scores are minus the rank of the merge that makes the piece.
    private static byte[] SentencePiece(JsonNode golden, int type, string? charsmap = null)
    {
        Dictionary<string, float> scores = [];
        foreach (JsonNode? merge in golden["model"]!["merges"]!.AsArray())
            scores.TryAdd(((string)merge!).Replace(" ", "", StringComparison.Ordinal), -scores.Count);
        List<byte> model = [];
        foreach ((string text, JsonNode? id) in golden["model"]!["vocab"]!.AsObject().OrderBy(token => (int)token.Value!))
        {
            int kind = text == "<unk>" ? 2 : text is "<s>" or "</s>" ? 3 : text.StartsWith("<0x", StringComparison.Ordinal) ? 6 : 1;
            byte[] score = new byte[4];
            BinaryPrimitives.WriteSingleLittleEndian(score, scores.GetValueOrDefault(text, -1000));
            Delimited(model, 1, [.. Delimited([], 1, Encoding.UTF8.GetBytes(text)), 0x15, .. score, 0x18, (byte)kind]);
        }

        Delimited(model, 2, [0x18, (byte)type, 0x98, 0x02, 1]); // byte_fallback is field 35
        byte[] rules = charsmap == null ? [0x18, 1, 0x20, 0]
            : [.. Delimited([], 1, Encoding.UTF8.GetBytes(charsmap)), .. Delimited([], 2, [1, 2, 3]), 0x18, 1, 0x20, 0];
        return [.. Delimited(model, 3, rules)];
    }

    private static List<byte> Delimited(List<byte> message, int field, byte[] content)
    {
        message.Add((byte)((field << 3) | 2));
        uint length = (uint)content.Length;
        for (; length >= 0x80; length >>= 7)
            message.Add((byte)(length | 0x80));
        message.Add((byte)length);
        message.AddRange(content);
        return message;
    }
}
