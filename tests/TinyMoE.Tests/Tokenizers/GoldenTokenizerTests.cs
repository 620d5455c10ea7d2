using System.Text;
using System.Text.Json;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>What Hugging Face's own library does with three tokenizers, ids and texts (tests/golden/tokenizers).</summary>
public sealed class GoldenTokenizerTests
{
    public static TheoryData<string> Names => ["gpt2-style", "llama3-style", "sentencepiece-style"];

    [Theory]
    [MemberData(nameof(Names))]
    public void Encode_Golden_GivesTheSameIdsAndTokens(string name)
    {
        BpeTokenizer tokenizer = Load(name);
        List<string> wrong = [];
        foreach (JsonElement golden in Cases(name, "encode"))
        {
            string text = golden.GetProperty("text").GetString()!;
            int[] ids = tokenizer.Encode(text);
            bool isRight = ids.SequenceEqual(Ids(golden, "ids"))
                && tokenizer.EncodeWithSpecial(text).SequenceEqual(Ids(golden, "ids_with_special"))
                && tokenizer.EncodeWithPlaces(text, withSpecial: true).Select(token => token.Id).SequenceEqual(Ids(golden, "ids_with_special"))
                && ids.Select(tokenizer.TokenText).SequenceEqual(golden.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()))
                && ids.All(id => tokenizer.FindToken(tokenizer.TokenText(id)) == id);
            if (!isRight)
                wrong.Add(text);
        }

        Assert.Empty(wrong);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Decode_Golden_GivesTheSameTexts(string name)
    {
        BpeTokenizer tokenizer = Load(name);
        foreach (JsonElement golden in Cases(name, "encode").Concat(Cases(name, "decode")))
        {
            int[] ids = Ids(golden, golden.TryGetProperty("ids_with_special", out _) ? "ids_with_special" : "ids");
            foreach (bool skipSpecial in (bool[])[false, true])
            {
                string expected = golden.GetProperty(skipSpecial ? "decoded_skip_special" : "decoded").GetString()!;
                Assert.Equal(expected, tokenizer.Decode(ids, skipSpecial));

                StringBuilder streamed = new();
                TokenDecoder decoder = tokenizer.NewDecoder(skipSpecial);
                foreach (int id in ids)
                    streamed.Append(decoder.Push(id));
                Assert.Equal(expected, streamed.Append(decoder.Flush()).ToString());
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Bytes_OfTheIdsOfAText_AreTheText(string name)
    {
        BpeTokenizer tokenizer = Load(name);
        foreach (JsonElement golden in Cases(name, "encode"))
        {
            string text = golden.GetProperty("text").GetString()!;
            int[] ids = tokenizer.Encode(text);
            if (ids.Any(tokenizer.IsSpecial))
                continue;
            byte[] bytes = [.. ids.SelectMany(id => tokenizer.Bytes(id).ToArray())];
            string prefix = name == "sentencepiece-style" && text.Length > 0 ? " " : "";
            Assert.Equal(prefix + text.Replace('▁', prefix.Length > 0 ? ' ' : '▁'), Encoding.UTF8.GetString(bytes));
            Assert.Equal(bytes.Length, tokenizer.ByteCount(ids));
        }
    }

    internal static BpeTokenizer Load(string name) =>
        (BpeTokenizer)Tokenizer.Load(Path.Combine(Folder(name), "tokenizer.json"));

    internal static string Folder(string name) => Path.Combine(FloorsTests.RepositoryRoot(), "tests", "golden", "tokenizers", name);

    internal static IEnumerable<JsonElement> Cases(string name, string kind) =>
        JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder(name), "cases.json"))).RootElement.GetProperty(kind).EnumerateArray();

    private static int[] Ids(JsonElement golden, string member) =>
        [.. golden.GetProperty(member).EnumerateArray().Select(id => id.GetInt32())];
}
