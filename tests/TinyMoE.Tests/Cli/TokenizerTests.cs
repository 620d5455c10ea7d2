using System.Text.Json;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Cli;

/// <summary>Tokenizers from the command line: trained, shown, and in a run.</summary>
public sealed class TokenizerTests : IDisposable
{
    private static readonly string Text = string.Concat(Enumerable.Range(0, 400).Select(i => $"the cat sat on mat {i % 10}.\n"));

    private static readonly string[] Small =
    [
        "--set", "model.width=16", "model.layers=1", "model.context=8", "moe.hidden=8", "train.batch=2", "train.eval_windows=2",
        "train.warmup=1", "--threads", "1",
    ];

    private readonly TemporaryFolder folder = new();
    private readonly string data;

    public TokenizerTests() => data = folder.Write("text.txt", Text);

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Train_WritesTheFile_AndSaysWhatItIs()
    {
        CommandLine trained = Train("--vocabulary", "270");
        Assert.Equal((0, ""), (trained.ExitCode, trained.Error));
        Assert.Contains("vocabulary 270, 13 of it merged", trained.Output, StringComparison.Ordinal);
        Assert.Equal(270, Tokenizer.Load(folder["t.json"]).Vocabulary);
        Assert.Contains("is there already; --overwrite replaces it", Train("--vocabulary", "270").Error, StringComparison.Ordinal);
        Assert.Equal(0, Train("--vocabulary", "260", "--overwrite").ExitCode);
        Assert.Equal(260, Tokenizer.Load(folder["t.json"]).Vocabulary);
    }

    [Fact]
    public void Train_Json_IsOneObject()
    {
        JsonElement trained = JsonDocument.Parse(Train("--vocabulary", "5000", "--json").Output).RootElement;
        Assert.Equal("tokenizer", trained.GetProperty("kind").GetString());
        Assert.Equal(Text.Length, trained.GetProperty("bytes").GetInt64());
        int vocabulary = trained.GetProperty("vocabulary").GetInt32();
        Assert.InRange(vocabulary, 260, 320); // the text has no more pairs
        Assert.Equal(vocabulary - 257, trained.GetProperty("merges").GetInt32());
    }

    [Theory]
    [InlineData("take at least 257", "--vocabulary", "100")]
    [InlineData("at most 1000000", "--vocabulary", "2000000")]
    [InlineData("--vocabulary needs a whole number, at least 1", "--vocabulary", "0")]
    [InlineData("option '--vocabulary' is required")]
    [InlineData("--style has no 'x'; known: gpt2, llama3, qwen2, sentencepiece", "--vocabulary", "300", "--style", "x")]
    [InlineData("--limit-alphabet is for --style sentencepiece", "--vocabulary", "300", "--limit-alphabet", "3")]
    [InlineData("the alphabet of the text has ", "--vocabulary", "260", "--style", "sentencepiece")]
    [InlineData("is named twice", "--vocabulary", "300", "--special", "<a>", "<a>")]
    public void Train_WhatCannotBe_IsOneLine(string expected, params string[] options)
    {
        CommandLine result = Train(options);
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(expected, result.ErrorLines[0], StringComparison.Ordinal);
        Assert.False(File.Exists(folder["t.json"]));
    }

    [Fact]
    public void Train_OnAFolder_ReadsEachFileOnce_AsItIs()
    {
        folder.Write("texts/a.txt", "\uFEFFa b\r\na");
        folder.Write("texts/b/c.txt", "c\n");
        CommandLine result = CommandLine.Run(
            "tokenizer", "train", "--data", folder["texts"], folder["texts/a.txt"], "--vocabulary", "300", "--out", folder["t.json"],
            "--json");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        JsonElement json = JsonDocument.Parse(result.Output).RootElement;
        Assert.Equal("a b\r\nac\n".Length, json.GetProperty("bytes").GetInt32());
        Assert.Equal(6, json.GetProperty("words").GetInt32()); // a, b with its blank, the line end; a; c and its line end
        Assert.Equal(5, json.GetProperty("different_words").GetInt32());
    }

    [Fact]
    public void Train_TextThatIsNone_IsOneLine()
    {
        string empty = folder.Write("empty.txt", ""), latin = folder.Write("latin.txt", [0xE9, (byte)'a']);
        Assert.Contains("is empty", Fails("tokenizer", "train", "--data", empty, "--vocabulary", "300", "--out", folder["t.json"]));
        Assert.Contains("not UTF-8", Fails("tokenizer", "train", "--data", latin, "--vocabulary", "300", "--out", folder["t.json"]));
        Assert.Contains("is a folder", Fails("tokenizer", "train", "--data", data, "--vocabulary", "300", "--out", folder.Root));
    }

    [Fact]
    public void Show_Json_HasIdsTokensOffsetsAndTexts()
    {
        Train("--vocabulary", "300", "--style", "llama3");
        CommandLine shown = CommandLine.Run("tokenizer", "show", "--tokenizer", folder["t.json"], "--text", "the cät", "--json");
        Assert.Equal((0, ""), (shown.ExitCode, shown.Error));
        JsonElement json = JsonDocument.Parse(shown.Output).RootElement;
        int[] ids = [.. json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
        Tokenizer tokenizer = Tokenizer.Load(folder["t.json"]);
        Assert.Equal(tokenizer.Encode("the cät"), ids);
        Assert.Equal([0, .. ids], json.GetProperty("ids_with_special").EnumerateArray().Select(id => id.GetInt32()));
        Assert.Equal(ids.Select(tokenizer.TokenText), json.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()));
        Assert.Equal("[0,3]", json.GetProperty("offsets")[0].GetRawText());
        Assert.Equal("[5,6]", json.GetProperty("offsets")[ids.Length - 2].GetRawText()); // half of the ä
        Assert.Equal("<|begin_of_text|>the cät", json.GetProperty("decoded").GetString());
        Assert.Equal("the cät", json.GetProperty("decoded_skip_special").GetString());
    }

    [Fact]
    public void Show_AFile_PrintsATable()
    {
        Train("--vocabulary", "300");
        string file = folder.Write("a.txt", "the cat\n");
        CommandLine shown = CommandLine.Run("tokenizer", "show", "--tokenizer", folder["t.json"], "--file", file);
        Assert.Equal((0, ""), (shown.ExitCode, shown.Error));
        Assert.Contains("0-3    the", shown.Output, StringComparison.Ordinal);
        Assert.Contains("3 tokens of 8 bytes", shown.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Show_WhatCannotBe_IsOneLine()
    {
        Train("--vocabulary", "300");
        string file = folder["t.json"];
        Assert.Contains("one of them", Fails("tokenizer", "show", "--tokenizer", file));
        Assert.Contains("one of them", Fails("tokenizer", "show", "--tokenizer", file, "--text", "a", "--file", data));
        Assert.Contains("Cannot read", Fails("tokenizer", "show", "--tokenizer", folder["no.json"], "--text", "a"));
        Assert.Contains("Cannot read", Fails("tokenizer", "show", "--tokenizer", file, "--file", folder["no.txt"]));
        Assert.Contains("not UTF-8 text at byte 1", Fails(
            "tokenizer", "show", "--tokenizer", file, "--file", folder.Write("latin.txt", [(byte)'a', 0xE9, (byte)'a'])));
        if (OperatingSystem.IsLinux())
            Assert.Contains("/dev/null is a device", Fails("tokenizer", "show", "--tokenizer", "/dev/null", "--text", "a"));
        Assert.Contains("unknown option '--txt'; did you mean '--text'?", Fails("tokenizer", "show", "--txt", "a"));
        Assert.Contains("unknown command 'trian'; did you mean 'train'?", Fails("tokenizer", "trian"));
    }

    [Fact]
    public void Run_WithATrainedTokenizer_StopsResumesEvaluatesAndWrites()
    {
        string[] bpe = ["--tokenizer", "bpe:280", "--steps", "6"];
        AssertWorks(TrainModel("whole", bpe));
        AssertWorks(TrainModel("parts", [.. bpe, "--stop-at", "3"]));
        AssertWorks(CommandLine.Run("train", "--resume", "--out", folder["parts"], "--threads", "1"));
        foreach (string file in (string[])["model.safetensors", "tokenizer.json"])
            Assert.Equal(File.ReadAllBytes(folder[$"whole/last/{file}"]), File.ReadAllBytes(folder[$"parts/last/{file}"]));
        string line = File.ReadLines(folder["whole/metrics.jsonl"]).First(line => line.Contains("\"train\"", StringComparison.Ordinal));
        Assert.True(JsonDocument.Parse(line).RootElement.GetProperty("bits_per_byte").GetDouble() > 0);

        Assert.Contains("bits per byte", AssertWorks(CommandLine.Run("eval", "--run", folder["whole"])).Output);
        Assert.Contains("bits per byte", AssertWorks(CommandLine.Run("eval", "--run", folder["whole"], "--data", data)).Output);
        AssertWorks(CommandLine.Run("verify", "--run", folder["whole"]));
        CommandLine info = AssertWorks(CommandLine.Run("info", "--run", folder["whole"], "--json"));
        JsonElement best = JsonDocument.Parse(info.Output).RootElement.GetProperty("best");
        Assert.InRange(best.GetProperty("bits_per_byte").GetDouble(), 1, 8);
        Assert.Contains("bits per byte, at step ", AssertWorks(CommandLine.Run("info", "--run", folder["whole"])).Output);
        AssertWorks(CommandLine.Run("generate", "--run", folder["whole"], "--prompt", "% é", "--tokens", "20"));
        AssertWorks(CommandLine.Run("tokenizer", "show", "--tokenizer", folder["whole"], "--text", "the cat"));
        AssertWorks(CommandLine.Run(["train", "--init", folder["whole"], "--data", data, "--out", folder["init"], "--steps", "2"]));
        Assert.Contains("data.tokenizer_vocabulary", Fails(
            "train", "--init", folder["whole"], "--out", folder["b"], "--steps", "2", "--tokenizer", "bpe:290"));
    }

    [Fact]
    public void Run_WithTheTokenizerOfAFile_KeepsACopy()
    {
        Train("--vocabulary", "300", "--style", "sentencepiece");
        AssertWorks(TrainModel("run", "--tokenizer", folder["t.json"], "--steps", "4", "--stop-at", "2"));
        Assert.Equal(File.ReadAllBytes(folder["t.json"]), File.ReadAllBytes(folder["run/last/tokenizer.json"]));
        File.Delete(folder["t.json"]);
        AssertWorks(CommandLine.Run("train", "--resume", "--out", folder["run"], "--threads", "1"));
        AssertWorks(CommandLine.Run("eval", "--run", folder["run"]));
        AssertWorks(CommandLine.Run("generate", "--run", folder["run"], "--tokens", "5"));
        AssertWorks(TrainModel("another", "--tokenizer", folder["run"], "--steps", "2"));
    }

    [Fact]
    public void Run_WithMoreSymbolsThanTokens_WritesTokensOnly()
    {
        string[] more = [.. Small[..^2], "model.vocabulary=2000", "--threads", "1"];
        AssertWorks(CommandLine.Run(
            ["train", "--data", data, "--out", folder["run"], .. more, "--tokenizer", "bpe:280", "--steps", "2"]));
        CommandLine text = AssertWorks(
            CommandLine.Run("generate", "--run", folder["run"], "--tokens", "300", "--temperature", "5", "--prompt", "the"));
        Assert.StartsWith("the", text.Output, StringComparison.Ordinal);
        AssertWorks(CommandLine.Run("eval", "--run", folder["run"]));
        Assert.Contains("model.vocabulary=20 is less than the", TrainModel("few", "--steps", "2", "--set", "model.vocabulary=20").Error);
    }

    [Theory]
    [InlineData("bpe:x", "'bpe:x' names no number of tokens")]
    [InlineData("bpe:9", "take at least 257")]
    [InlineData("bpe:9999999", "data.tokenizer_vocabulary=9999999 must be at least 1 and at most 1000000")]
    [InlineData("word", "There is no tokenizer 'word': write char, byte or bpe:4096")]
    public void Run_WithATokenizerThatCannotBe_IsOneLine(string tokenizer, string expected) =>
        Assert.Contains(expected, TrainModel("run", "--tokenizer", tokenizer).ErrorLines[0], StringComparison.Ordinal);

    private static CommandLine AssertWorks(CommandLine result)
    {
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        return result;
    }

    private static string Fails(params string[] words)
    {
        CommandLine result = CommandLine.Run(words);
        Assert.NotEqual(0, result.ExitCode);
        return result.ErrorLines[0];
    }

    private CommandLine Train(params string[] options) =>
        CommandLine.Run(["tokenizer", "train", "--data", data, "--out", folder["t.json"], .. options]);

    private CommandLine TrainModel(string name, params string[] options) =>
        CommandLine.Run(["train", "--data", data, "--out", folder[name], .. Small, .. options]);
}
