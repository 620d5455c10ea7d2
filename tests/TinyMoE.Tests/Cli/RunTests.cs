using System.Text.Json;
using TinyMoE.Configuration;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>A run from the command line, whole: train, stop, resume, eval, generate, info; and each input that cannot work.</summary>
public sealed class RunTests : IDisposable
{
    private static readonly string Text = string.Concat(Enumerable.Range(0, 400).Select(i => $"the cat sat on mat {i % 10}.\n"));

    /// <summary>A model that trains in a second.</summary>
    private static readonly string[] Small =
    [
        "--set", "model.width=32", "model.layers=2", "attention.heads=2", "attention.kv_heads=1", "model.context=16",
        "moe.experts=4", "moe.hidden=32",
        "train.batch=4", "train.eval_every=10", "train.eval_windows=8", "train.warmup=5", "--threads", "2",
    ];

    private readonly TemporaryFolder folder = new();
    private readonly string data;

    public RunTests() => data = folder.Write("text.txt", Text);

    [Fact]
    public void Train_StopResume_EqualsTrain_AndTheRestOfTheCommandsWork()
    {
        CommandLine whole = Train("whole", "--steps", "20");
        Assert.Equal((0, ""), (whole.ExitCode, whole.Error));
        Assert.Contains("evaluation at step 10", whole.Output, StringComparison.Ordinal);
        Assert.Contains("expert load", whole.Output, StringComparison.Ordinal);
        Assert.Contains("tinymoe generate --run", whole.Output, StringComparison.Ordinal);

        CommandLine stopped = Train("parts", "--steps", "20", "--stop-at", "7");
        Assert.Equal((0, ""), (stopped.ExitCode, stopped.Error));
        Assert.Contains("--resume", stopped.Output, StringComparison.Ordinal);
        CommandLine resumed = CommandLine.Run("train", "--resume", "--out", folder["parts"], "--threads", "1");
        Assert.Equal((0, ""), (resumed.ExitCode, resumed.Error));
        Assert.Equal(File.ReadAllBytes(folder["whole/last/model.safetensors"]), File.ReadAllBytes(folder["parts/last/model.safetensors"]));

        CommandLine eval = CommandLine.Run("eval", "--run", folder["whole"], "--json");
        Assert.Equal((0, ""), (eval.ExitCode, eval.Error));
        JsonElement report = JsonDocument.Parse(eval.Output.Split('\n')[0]).RootElement;
        Assert.Equal("eval", report.GetProperty("kind").GetString());
        Assert.Equal(Math.Exp(report.GetProperty("loss").GetDouble()), report.GetProperty("perplexity").GetDouble(), 1e-4);
        // one byte per character
        Assert.Equal(report.GetProperty("loss").GetDouble() / Math.Log(2), report.GetProperty("bits_per_byte").GetDouble(), 1e-6);

        CommandLine few = CommandLine.Run("eval", "--run", folder["whole"], "--windows", "3");
        Assert.Contains("the first 3 of 54 windows held out of its own text", few.Output, StringComparison.Ordinal);

        string[] generate = ["generate", "--run", folder["whole"], "--prompt", "the cat", "--tokens", "40", "--seed", "3"];
        CommandLine text = CommandLine.Run(generate);
        Assert.Equal((0, ""), (text.ExitCode, text.Error));
        Assert.StartsWith("the cat", text.Output, StringComparison.Ordinal);
        Assert.Equal("the cat".Length + 40 + Environment.NewLine.Length, text.Output.Length);
        Assert.Equal(text.Output, CommandLine.Run(generate).Output);

        CommandLine info = CommandLine.Run("info", "--run", folder["whole"], "--json");
        JsonElement size = JsonDocument.Parse(info.Output).RootElement;
        Assert.Equal(
            size.GetProperty("parameters").GetInt64(),
            size.GetProperty("parts").EnumerateObject().Sum(p => p.Value.GetProperty("parameters").GetInt64()));
        Assert.True(size.GetProperty("active_parameters").GetInt64() < size.GetProperty("parameters").GetInt64());
        Assert.Contains("MiB to train", CommandLine.Run("info", "--run", folder["whole"]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_Json_PrintsTheMetricsAndNothingElse()
    {
        CommandLine result = Train("run", "--steps", "10", "--json");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Assert.Equal(File.ReadAllText(folder["run/metrics.jsonl"]), result.Output);
        string[] lines = result.Output.TrimEnd().Split('\n');
        string[] kinds = [.. lines.Select(line => JsonDocument.Parse(line).RootElement.GetProperty("kind").GetString()!)];
        Assert.Equal([.. Enumerable.Repeat("train", 10), "eval", "routing", "routing", "memory"], kinds);
    }

    [Fact]
    public void Train_Profile_ShowsKernelsAndTheRest_OrSaysWhyNot()
    {
        CommandLine result = Train("run", "--steps", "12", "--profile");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        foreach (string expected in (string[])["profile of 7 steps", "all kernels", "outside kernels", "memory: "])
            Assert.Contains(expected, result.Output, StringComparison.Ordinal);

        CommandLine json = Train("json", "--steps", "12", "--profile", "--json");
        JsonElement profile = JsonDocument.Parse(json.Output.TrimEnd().Split('\n')[^1]).RootElement;
        Assert.Equal("profile", profile.GetProperty("kind").GetString());
        Assert.Equal(7, profile.GetProperty("steps").GetInt32());
        JsonElement[] kernels = [.. profile.GetProperty("profile").EnumerateArray()];
        double inKernels = kernels.Sum(kernel => kernel.GetProperty("seconds").GetDouble());
        Assert.Equal(profile.GetProperty("seconds").GetDouble(), inKernels + profile.GetProperty("outside_kernels").GetDouble(), 1e-4);

        // 4 windows of 16 tokens, 2 experts each; here and not in the table, which leaves out what took little time
        JsonElement product = Assert.Single(kernels, kernel => kernel.GetProperty("kernel").GetString() == "GroupedMatMul 128x32x32");
        long calls = product.GetProperty("calls").GetInt64();
        Assert.True(calls > 0 && calls % 7 == 0, $"{calls} calls in 7 steps");

        Assert.Contains(
            "no profile: the first 5 steps warm up", Train("short", "--steps", "2", "--profile").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Train_WithAConfigFile_UsesIt()
    {
        string config = folder.Write("small.json", """
            {
              "model": {"width": 16, "layers": 1, "context": 8}, "attention": {"heads": 2, "kv_heads": 0},
              "moe": {"experts": 0}, "train": {"batch": 2, "steps": 3}
            }
            """);
        CommandLine result = CommandLine.Run("train", "--config", config, "--data", data, "--out", folder["run"], "--tokenizer", "byte");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        JsonElement kept = JsonDocument.Parse(File.ReadAllText(folder["run/last/config.json"])).RootElement;
        Assert.Equal(256, kept.GetProperty("model").GetProperty("vocabulary").GetInt32());
        Assert.Equal(16, kept.GetProperty("model").GetProperty("width").GetInt32());
    }

    [Fact]
    public void Train_WithFormerKeys_NamesTheNewOnesOnce_AndKeepsThose()
    {
        string config = folder.Write("old.json", """
            {
              "model": {"width": 16, "layers": 1, "heads": 2, "kv_heads": 0, "context": 8},
              "moe": {"experts": 0}, "train": {"batch": 2, "steps": 3}
            }
            """);
        const string Note =
            "model.heads is now attention.heads, model.kv_heads is now attention.kv_heads, model.window is now attention.window";
        string[] old = ["--config", config, "--set", "model.window=4"];
        CommandLine train = CommandLine.Run(["train", .. old, "--data", data, "--out", folder["run"], "--tokenizer", "byte"]);
        Assert.Equal((0, ""), (train.ExitCode, train.Error));
        Assert.Equal(2, train.Output.Split("model.heads").Length);
        Assert.Contains($"note: {Note}", train.Output, StringComparison.Ordinal);
        Assert.Contains(Note, CommandLine.Run(["info", .. old, "--json"]).Output, StringComparison.Ordinal);

        RunConfig kept = ConfigJson.Load(folder["run/last/config.json"]);
        Assert.Equal((2, 0, 4), (kept.Attention.Heads, kept.Attention.KvHeads, kept.Attention.Window[0]));
        Assert.DoesNotContain("is now", CommandLine.Run("info", "--run", folder["run"]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Eval_OfLabelledText_TakesRecordsOrANamedSource()
    {
        string records = folder.Write("r.jsonl", string.Concat(Enumerable.Range(0, 90).Select(
            i => $$"""{"text": "the cat sat on the mat", "label": "{{i % 3}}"}""" + "\n")));
        CommandLine trained = CommandLine.Run(
            ["train", "--data", records, "--out", folder["run"], "--steps", "2", .. Small, "--set", "data.labels=record"]);
        Assert.Equal((0, ""), (trained.ExitCode, trained.Error));
        string text = folder.Write("plain.txt", string.Concat(Enumerable.Repeat("the cat sat on the mat\n", 30)));

        Assert.Equal(0, CommandLine.Run("eval", "--run", folder["run"]).ExitCode);
        AssertFails("is not a record", CommandLine.Run("eval", "--run", folder["run"], "--data", text));
        CommandLine named = CommandLine.Run("eval", "--run", folder["run"], "--data", "1=" + text, "--labels", "source");
        Assert.Equal((0, ""), (named.ExitCode, named.Error));
    }

    [Fact]
    public void Checkpoint_HasMixtralsNamesAndShapes()
    {
        Train("run", "--steps", "1");
        using TinyMoE.Files.SafetensorsReader file = TinyMoE.Files.SafetensorsReader.Open(folder["run/last/model.safetensors"]);
        Assert.Equal([4, 32], file.Tensors["model.layers.0.block_sparse_moe.gate.weight"].Shape);
        Assert.Equal([32, 32], file.Tensors["model.layers.1.block_sparse_moe.experts.3.w1.weight"].Shape);
        Assert.Equal([16, 32], file.Tensors["model.layers.0.self_attn.k_proj.weight"].Shape);
        Assert.Contains("model.layers.0.post_attention_layernorm.weight", file.Tensors.Keys);
        Assert.Equal(
            [
                "SHA256SUMS", "config.json", "labels.json", "model.safetensors", "optimizer.safetensors", "routing.safetensors",
                "state.json", "tokenizer.json",
            ],
            Directory.EnumerateFiles(folder["run/last"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("missing.txt", null, "missing.txt")]
    [InlineData("empty.txt", "", "empty.txt")]
    [InlineData("short.txt", "too short", "tokens")]
    public void Train_TextThatCannotWork_IsOneLine(string name, string? content, string message)
    {
        if (content is not null)
            folder.Write(name, content);
        AssertFails(message, CommandLine.Run(["train", "--data", folder[name], "--out", folder["run"], .. Small]));
        Assert.False(Directory.Exists(folder["run"]));
    }

    [Fact]
    public void Train_InvalidUtf8_NamesFileAndByte_AndTheByteTokenizerTakesIt()
    {
        byte[] text = System.Text.Encoding.UTF8.GetBytes(Text);
        string bad = folder.Write("bad.txt", [.. text, 0xC3, 0x28, .. text]);
        AssertFails("--tokenizer byte", CommandLine.Run(["train", "--data", bad, "--out", folder["run"], .. Small]));
        CommandLine bytes = CommandLine.Run(
            ["train", "--data", bad, "--tokenizer", "byte", "--out", folder["run"], "--steps", "2", .. Small]);
        Assert.Equal(0, bytes.ExitCode);
    }

    [Fact]
    public void Train_UnreadableText_IsOneLine()
    {
        string unreadable = OperatingSystem.IsLinux() ? "/proc/self/mem" : Path.Combine(data, "mem");
        AssertFails("mem", CommandLine.Run(["train", "--data", unreadable, "--out", folder["run"], .. Small]));
    }

    [Fact]
    public void Train_FolderThatCannotBe_IsOneLine() => AssertFails("another folder", Train("text.txt/run", "--steps", "2"));

    [Fact]
    public void Resume_WithAnotherConfiguration_NamesTheKey()
    {
        Train("run", "--steps", "4", "--stop-at", "2");
        AssertFails("model.width", CommandLine.Run("train", "--resume", "--out", folder["run"], "--set", "model.width=64"));
        AssertFails("train.seed", CommandLine.Run("train", "--resume", "--out", folder["run"], "--seed", "9"));
    }

    [Fact]
    public void Resume_WithNothingThere_IsOneLine() => AssertFails("no run to resume", Train("nothing", "--resume"));

    [Fact]
    public void Generate_CharacterOutsideTheVocabulary_NamesIt()
    {
        Train("run", "--steps", "1");
        CommandLine result = CommandLine.Run("generate", "--run", folder["run"], "--prompt", "the %");
        AssertFails("'%'", result);
        Assert.Equal("", result.Output);
    }

    [Theory]
    [InlineData("model.safetensors", 100)]
    [InlineData("model.safetensors", 3000)]
    [InlineData("model.safetensors", 0)]
    [InlineData("config.json", 20)]
    [InlineData("tokenizer.json", 9)]
    public void Checkpoint_Truncated_IsOneLineThatNamesTheFile(string file, int length)
    {
        Train("run", "--steps", "1");
        foreach (string checkpoint in (string[])["best", "last"])
        {
            using FileStream stream = File.OpenWrite(folder[$"run/{checkpoint}/{file}"]);
            stream.SetLength(length);
        }

        AssertFails(file, CommandLine.Run("generate", "--run", folder["run"], "--tokens", "3"));
        AssertFails(file, CommandLine.Run("info", "--run", folder["run"]));
    }

    [Fact]
    public void Checkpoint_ThatLostFiles_IsNamed_AndNoOtherIsTakenInstead()
    {
        Train("run", "--steps", "2");
        File.Delete(folder["run/best/SHA256SUMS"]);
        File.Delete(folder["run/best/model.safetensors"]);
        AssertFails("best/model.safetensors is missing", CommandLine.Run("eval", "--run", folder["run"]));
        AssertFails("best/model.safetensors is missing", CommandLine.Run("generate", "--run", folder["run"], "--tokens", "3"));
        AssertFails("best/model.safetensors is missing", CommandLine.Run("info", "--run", folder["run"]));
        AssertFails("best, which no run", CommandLine.Run("train", "--resume", "--out", folder["run"]));
        CommandLine verify = CommandLine.Run("verify", "--run", folder["run"]);
        Assert.Equal((1, $"{folder["run/best"]}: damaged"), (verify.ExitCode, verify.OutputLines[0]));
    }

    [Theory]
    [InlineData("optimizer.safetensors")]
    [InlineData("state.json")]
    public void Resume_TruncatedCheckpoint_IsOneLineThatNamesTheFile(string file)
    {
        Train("run", "--steps", "4", "--stop-at", "2");
        File.WriteAllText(folder[$"run/last/{file}"], "{");
        AssertFails(file, CommandLine.Run("train", "--resume", "--out", folder["run"]));
    }

    [Fact]
    public void Checkpoint_OfAnotherModel_IsOneLineThatNamesATensor()
    {
        Train("run", "--steps", "1");
        CommandLine.Run(["train", "--data", data, "--out", folder["other"], "--steps", "1", .. Small, "--set", "moe.experts=2"]);
        foreach (string checkpoint in (string[])["best", "last"])
            File.Copy(folder[$"other/{checkpoint}/model.safetensors"], folder[$"run/{checkpoint}/model.safetensors"], overwrite: true);
        AssertFails("block_sparse_moe", CommandLine.Run("generate", "--run", folder["run"], "--tokens", "3"));
    }

    public void Dispose() => folder.Dispose();

    private static void AssertFails(string message, CommandLine result)
    {
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.DoesNotContain("this is a bug", result.Error, StringComparison.Ordinal);
    }

    private CommandLine Train(string run, params string[] more) =>
        CommandLine.Run(["train", "--data", data, "--out", folder[run], .. Small, .. more]);
}
