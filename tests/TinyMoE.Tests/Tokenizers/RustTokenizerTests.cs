using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Configuration;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>
/// Ids and texts beside those of Hugging Face's own library on random text; skipped where its native part cannot be loaded (it is there for
/// Linux on x64).
/// </summary>
public sealed class RustTokenizerTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    /// <summary>Changes of golden tokenizers (tests/golden/tokenizers/changes.json), by name.</summary>
    public static TheoryData<string, string> Changes
    {
        get
        {
            TheoryData<string, string> all = [];
            foreach ((string golden, JsonNode? changes) in AllChanges())
            {
                foreach ((string name, _) in changes!.AsObject())
                    all.Add(golden, name);
            }

            return all;
        }
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public void EncodeAndDecode_RandomText_AreThoseOfHuggingFace(string golden, string name)
    {
        JsonObject json = JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenTokenizerTests.Folder(golden), "tokenizer.json")))!.AsObject();
        foreach ((string key, JsonNode? value) in AllChanges()[golden]![name]!.AsObject())
        {
            if (key == "add")
            {
                foreach (JsonNode? token in value!.AsArray())
                    json["added_tokens"]!.AsArray().Add(token!.DeepClone());
            }
            else
            {
                JsonNode parent = key.StartsWith("model.", StringComparison.Ordinal) ? json["model"]! : json;
                parent[key.Split('.')[^1]] = value?.DeepClone();
            }
        }

        string path = folder.Write("tokenizer.json", json.ToJsonString());
        Compare(path, Tokenizer.Load(path), texts: 100);
    }

    [Theory]
    [InlineData("gpt2")]
    [InlineData("cl100k")]
    [InlineData("o200k")]
    public void Encode_RealVocabulary_GivesTheIdsOfHuggingFace(string name)
    {
        Tokenizer tokenizer = RealVocabulary.Open(name, folder.Root);
        tokenizer.Save(folder["tokenizer.json"]);

        Compare(folder["tokenizer.json"], tokenizer, texts: 300);
    }

    [Theory]
    [InlineData("llama3-style")]
    [InlineData("sentencepiece-style")]
    public void Encode_LongText_GivesTheIdsOfHuggingFace(string name)
    {
        string path = Path.Combine(GoldenTokenizerTests.Folder(name), "tokenizer.json");
        StringBuilder text = new();
        Random random = new(1);
        while (text.Length < 800_000) // above a megabyte in UTF-8, from where it is cut into blocks
            text.Append(RandomText.Next(random)).Append(random.Next(3) == 0 ? "line\nof" : " some words and ");
        using global::Tokenizers.DotNet.Tokenizer rust = Open(path);

        Assert.Equal(rust.Encode(text.ToString()).Select(id => (int)id), Tokenizer.Load(path).EncodeWithSpecial(text.ToString()));
    }

    [Theory]
    [InlineData(TokenizerKind.Char)]
    [InlineData(TokenizerKind.Byte)]
    public void ToHuggingFace_OurKinds_GiveTheSameIds(TokenizerKind kind)
    {
        const string Text = "A text, with é 😀\nand\ttwo lines.";
        Tokenizer tokenizer = Tokenizer.For(kind, Encoding.UTF8.GetBytes(Text));
        string path = folder.Write("tokenizer.json", tokenizer.ToHuggingFace());
        using global::Tokenizers.DotNet.Tokenizer rust = Open(path);

        uint[] ids = rust.Encode(Text);
        Assert.Equal(tokenizer.Encode(Text), ids.Select(id => (int)id));
        Assert.Equal(Text, rust.Decode(ids));
        Assert.Equal(tokenizer.Encode(Text), Tokenizer.Load(path).Encode(Text));
        Assert.Equal(tokenizer.Encode("a\r\nb".Replace('b', 'w')), rust.Encode("a\r\nw").Select(id => (int)id));
    }

    // Members to set, as "pre_tokenizer" or "model.fuse_unk", and tokens to add in "add".
    private static JsonObject AllChanges() =>
        JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenTokenizerTests.Folder(""), "changes.json")))!.AsObject();

    private static void Compare(string path, Tokenizer ours, int texts)
    {
        using global::Tokenizers.DotNet.Tokenizer rust = Open(path);
        Random random = new(7);
        for (int i = 0; i < texts; i++)
        {
            string text = RandomText.Next(random);
            int[] ids = ours.EncodeWithSpecial(text);
            Assert.Equal((text, string.Join(' ', rust.Encode(text))), (text, string.Join(' ', ids)));
            for (int at = i % 2; at < ids.Length; at += 1 + random.Next(4))
                ids[at] = random.Next(ours.Vocabulary); // characters cut in half, special tokens in between
            Assert.Equal(rust.Decode([.. ids.Select(id => (uint)id)]), ours.Decode(ids));
        }
    }

    private static global::Tokenizers.DotNet.Tokenizer Open(string path)
    {
        try
        {
            return new global::Tokenizers.DotNet.Tokenizer(path);
        }
        catch (Exception e) when (e is DllNotFoundException or BadImageFormatException or EntryPointNotFoundException
            or TypeInitializationException)
        {
            Assert.Skip($"the native library of Hugging Face's tokenizers cannot be loaded here: {e.Message}");
            throw;
        }
    }
}
