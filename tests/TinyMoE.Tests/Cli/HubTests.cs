using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Tests.Families;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>Models go out in Hugging Face's form and come in: export, import, score, generate, eval and train with them.</summary>
public sealed class HubTests : IDisposable
{
    private const string Ids = "3,1,4,1,5,9,2,6";

    /// <summary>Models that families of Hugging Face can say, and the family that does.</summary>
    private static readonly Dictionary<string, (string Settings, string Family)> Models = new()
    {
        ["mixtral-tiny"] = ("", "mixtral"),
        ["olmoe-like"] = ("moe.renormalize=false attention.query_key_norm=whole moe.experts=11 moe.active=3", "olmoe"),
        ["qwen3-moe-like"] = ("attention.query_key_norm=per-head attention.head_size=24 moe.dense_layers=1", "qwen3_moe"),
        ["deepseek-tiny"] = ("moe.router=deepseek moe.shared_experts=1 moe.balance_loss=0 moe.z_loss=0 moe.active=3", "glm4_moe"),
        ["deepseek-latent"] = (
            "moe.router=deepseek moe.shared_experts=2 moe.balance_loss=0 moe.z_loss=0 moe.first_dense=1 attention.kind=latent "
            + "attention.kv_heads=0 attention.head_size=20 attention.rope_size=8 attention.value_size=12 attention.latent_rank=14 "
            + "attention.rope_interleaved=true model.tie_embeddings=false", "deepseek_v3"),
        ["dense"] = ("moe.experts=0 moe.balance_loss=0 moe.z_loss=0", "llama"),
    };

    private readonly TemporaryFolder folder = new();

    public HubTests() => folder.Write("text.txt", string.Concat(Enumerable.Repeat("the cat sat on the mat, and the dog saw it.\n", 200)));

    public static TheoryData<string> Names => [.. Models.Keys];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Names))]
    public void Export_IsWhatAnIndependentReaderComputesWith_AndComesBackToTheBit(string name)
    {
        Train(name);
        Run("export", "--run", folder["run"], "--out", folder["hub"]);
        using (HubModel hub = HubModel.Open(folder["hub"]))
            Assert.Equal(Models[name].Family, hub.Family.Name);
        float[] own = Logits("--run", "run"), exported = Logits("--model", "hub");
        Assert.Equal(own, exported);

        Run("import", "--model", folder["hub"], "--out", folder["again"]);
        Assert.Equal(own, Logits("--run", "again"));
        Run("export", "--run", folder["again"], "--out", folder["twice"]);
        Assert.Equal(File.ReadAllBytes(folder["hub/model.safetensors"]), File.ReadAllBytes(folder["twice/model.safetensors"]));

        Assert.SkipWhen(WhyNoReader is not null, $"the reader of exports cannot run: {WhyNoReader}");
        float[] read = Read("hub");
        Assert.Equal(own.Length, read.Length);
        Assert.All(own.Zip(read), pair => Assert.Equal(pair.Second, pair.First, 1e-4));
    }

    [Fact]
    public void Export_InShardsAndHalfPrecision_IsReadBack()
    {
        Train("mixtral-tiny");
        CommandLine told = Run("export", "--run", folder["run"], "--out", folder["hub"], "--dtype", "bfloat16", "--shard", "20KB");
        Assert.Contains("model-00002-of-", told.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(folder["hub/model.safetensors.index.json"]));
        JsonNode config = JsonNode.Parse(File.ReadAllText(folder["hub/config.json"]))!;
        Assert.Equal("bfloat16", config["torch_dtype"]!.GetValue<string>());
        Run("import", "--model", folder["hub"], "--out", folder["again"]);
        Assert.Equal(Logits("--model", "hub"), Logits("--run", "again"));
        Run("export", "--model", folder["hub"], "--out", folder["half"], "--dtype", "float16");
        float[] bfloat16 = Logits("--model", "hub"), float16 = Logits("--model", "half");
        Assert.All(bfloat16.Zip(float16), pair => Assert.Equal(pair.First, pair.Second, 1e-3)); // the smallest values lose bits
    }

    [Theory]
    [InlineData("moe.router=noisy-top-k", "moe.router")]
    [InlineData("model.positions=learned", "model.positions")]
    [InlineData("moe.router=expert-choice moe.allow_non_causal=true", "moe.router")]
    [InlineData("model.norm=layer", "model.norm")]
    public void Export_OfWhatNoFamilyCanSay_NamesTheKeys_AndWritesNothing(string settings, string key)
    {
        Train("mixtral-tiny", settings);
        CommandLine refused = CommandLine.Run("export", "--run", folder["run"], "--out", folder["hub"]);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains(key, Assert.Single(refused.ErrorLines), StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["hub"]));
    }

    [Fact]
    public void Export_IntoAFolderThatIsNotEmpty_IsRefused()
    {
        Train("dense");
        folder.Write("hub/mine.txt", "mine");
        CommandLine refused = CommandLine.Run("export", "--run", folder["run"], "--out", folder["hub"]);
        Assert.Equal((1, $"tinymoe: {folder["hub"]} is there already and not empty; name a new folder by --out"),
            (refused.ExitCode, Assert.Single(refused.ErrorLines)));
    }

    [Theory]
    [InlineData("mixtral")]
    [InlineData("deepseek-v3-yarn")]
    [InlineData("gpt-oss")]
    [InlineData("granitemoeshared")]
    [InlineData("llama-untied")]
    [InlineData("mistral-window")]
    public void ImportThenExport_OfOthersModels_GivesTheSameBytesOfEveryTensor(string name)
    {
        string model = FamilyCase.Of(name).Folder;
        Run("import", "--model", model, "--out", folder["run"]);
        Run("export", "--run", folder["run"], "--out", folder["hub"]);
        using SafetensorsFolder before = SafetensorsFolder.Open(model), after = SafetensorsFolder.Open(folder["hub"]);
        Assert.Equal(before.Tensors.Keys.Order(), after.Tensors.Keys.Order());
        foreach ((string tensor, SafetensorsEntry entry) in before.Tensors)
        {
            SafetensorsEntry other = after.Tensors[tensor];
            Assert.Equal((entry.Type, entry.ShapeText), (other.Type, other.ShapeText));
            float[] values = new float[entry.Count], others = new float[entry.Count];
            before.Read(entry, 0, values);
            after.Read(other, 0, others);
            Assert.Equal(values, others);
        }
    }

    [Fact]
    public void Generate_WithIds_GivesTheGoldenContinuation()
    {
        FamilyCase golden = FamilyCase.Of("qwen3-moe");
        foreach ((int[] prompt, int[] continuation) in golden.Greedy)
        {
            CommandLine written = Run("generate", "--model", golden.Folder, "--ids", string.Join(',', prompt), "--temperature", "0",
                "--tokens", Text(continuation.Length), "--json");
            int[] ids = [.. JsonDocument.Parse(written.Output).RootElement.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())];
            Assert.Equal(continuation, ids);
        }
    }

    [Fact]
    public void Score_TellsSumPerplexityAndRanks()
    {
        Train("dense");
        JsonElement score = JsonDocument.Parse(Run("score", "--run", folder["run"], "--text", "the cat", "--json").Output).RootElement;
        JsonElement[] tokens = [.. score.GetProperty("tokens").EnumerateArray()];
        Assert.Equal(["t", "h", "e", " ", "c", "a", "t"], tokens.Select(token => token.GetProperty("token").GetString()));
        Assert.Equal(JsonValueKind.Null, tokens[0].GetProperty("rank").ValueKind);
        double sum = tokens.Skip(1).Sum(token => token.GetProperty("log_probability").GetDouble());
        Assert.Equal(sum, score.GetProperty("sum").GetDouble(), 1e-9);
        Assert.Equal(Math.Exp(-sum / 6), score.GetProperty("perplexity").GetDouble(), 1e-9);
        Assert.Equal(-sum / 6 / Math.Log(2), score.GetProperty("bits_per_byte").GetDouble(), 1e-9);
        Assert.All(tokens.Skip(1), token => Assert.InRange(token.GetProperty("rank").GetInt32(), 1, 100));
    }

    [Fact]
    public void Train_ThatBeginsWithAModelOfOthers_LearnsOn()
    {
        Train("mixtral-tiny");
        Run("export", "--run", folder["run"], "--out", folder["hub"]);
        CommandLine trained = Run("train", "--init", folder["hub"], "--data", folder["text.txt"], "--out", folder["next"], "--steps", "3",
            "--set", "train.batch=2", "train.eval_windows=2", "--threads", "1");
        Assert.Contains("begins with the weights of", trained.Output, StringComparison.Ordinal);
        Assert.Contains("a model of family mixtral", trained.Output, StringComparison.Ordinal);
        Assert.Equal(0, CommandLine.Run("verify", "--run", folder["next"]).ExitCode);
        Assert.Equal([$"{folder["hub"]}: whole"], Run("verify", "--model", folder["hub"]).OutputLines);
        Assert.Equal(0, CommandLine.Run("eval", "--model", folder["hub"], "--data", folder["text.txt"], "--windows", "2").ExitCode);
        Assert.Contains("mixtral", Run("info", "--model", folder["hub"], "--json").Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rope_scaling", """{"type":"su","factor":2}""", "type=\"su\"")]
    [InlineData("final_logit_softcapping", "30.0", "final_logit_softcapping=30")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act")]
    [InlineData("num_hidden_layers", "\"three\"", "num_hidden_layers needs a whole number")]
    [InlineData("num_hidden_layers", "2", "model.layers.2.")]
    [InlineData("model_type", "\"mamba\"", "model_type=mamba is not known")]
    [InlineData("quantization_config", """{"quant_method":"gptq"}""", "quant_method")]
    [InlineData("hidden_size", "48", "shape")]
    public void Open_WhatIsNotSupported_IsRefusedByName(string key, string value, string said)
    {
        Copy(FamilyCase.Of("mixtral").Folder, folder["hub"]);
        JsonObject config = (JsonObject)JsonNode.Parse(File.ReadAllText(folder["hub/config.json"]))!;
        config[key] = JsonNode.Parse(value);
        File.WriteAllText(folder["hub/config.json"], config.ToJsonString());
        CommandLine refused = CommandLine.Run("score", "--model", folder["hub"], "--ids", Ids);
        Assert.Equal(1, refused.ExitCode);
        string error = Assert.Single(refused.ErrorLines);
        if (said != "shape")
            Assert.Contains(said, error, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_AMissingAndAStrangeTensor_AreNamed()
    {
        Copy(FamilyCase.Of("mixtral").Folder, folder["hub"]);
        JsonObject config = (JsonObject)JsonNode.Parse(File.ReadAllText(folder["hub/config.json"]))!;
        config["num_hidden_layers"] = 4;
        File.WriteAllText(folder["hub/config.json"], config.ToJsonString());
        string missing = Assert.Single(CommandLine.Run("info", "--model", folder["hub"]).ErrorLines);
        Assert.Contains("model.layers.3.", missing, StringComparison.Ordinal);
        string nowhere = Assert.Single(CommandLine.Run("info", "--model", folder["nowhere"]).ErrorLines);
        Assert.Contains("no folder", nowhere, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vocab_size", "0", "vocab_size needs a whole number, at least 1")]
    [InlineData("model_type", "\"\\ud800\"", "is not valid JSON")]
    [InlineData("vocab_size", "\"\\ud800\"", "is not valid JSON")]
    [InlineData("_comment", "[{\"a\":\"\\ud800\"}]", "is not valid JSON")]
    [InlineData("qk_nope_head_dim", "2147483647", "qk_nope_head_dim needs")]
    [InlineData("rope_parameters", """{"rope_type":"yarn","factor":4,"mscale_all_dim":1e26}""", "mscale_all_dim")]
    public void Open_AValueThatCannotBe_IsRefusedByName(string key, string value, string said)
    {
        Copy(FamilyCase.Of("deepseek-v3-yarn").Folder, folder["hub"]);
        JsonObject config = (JsonObject)JsonNode.Parse(File.ReadAllText(folder["hub/config.json"]))!;
        config.Remove(key);
        File.WriteAllText(folder["hub/config.json"], $"{config.ToJsonString()[..^1]},\"{key}\":{value}}}");
        CommandLine refused = CommandLine.Run("info", "--model", folder["hub"]);
        Assert.Equal(1, refused.ExitCode);
        string error = Assert.Single(refused.ErrorLines);
        Assert.Contains(said, error, StringComparison.Ordinal);
        Assert.DoesNotContain("this is a bug", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("gpt-oss-mxfp4", "_scales", "\"U8\"", "\"I8\"", "MXFP4 is kept in U8")]
    [InlineData("deepseek-v3-fp8", "q_proj.weight_scale_inv", "weight_scale_inv", "weight_scale_xxx", "with the scales of its blocks")]
    public void Open_PackedWeightsWithoutTheirScales_IsRefused(string name, string tensor, string from, string to, string said)
    {
        Copy(FamilyCase.Of(name).Folder, folder["hub"]);
        byte[] file = File.ReadAllBytes(folder["hub/model.safetensors"]);
        int length = (int)BitConverter.ToInt64(file);
        string header = System.Text.Encoding.UTF8.GetString(file, 8, length);
        int start = header.IndexOf(from, header.IndexOf(tensor + '"', StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Equal(from.Length, to.Length);
        System.Text.Encoding.UTF8.GetBytes(header[..start] + to + header[(start + from.Length)..]).CopyTo(file, 8);
        File.WriteAllBytes(folder["hub/model.safetensors"], file);
        Assert.Contains(said, ErrorOf("score", "--model", folder["hub"], "--ids", Ids), StringComparison.Ordinal);
    }

    [Fact]
    public void ImportedRun_IsWhole_AndDoesNotGoOn()
    {
        Run("import", "--model", FamilyCase.Of("mixtral").Folder, "--out", folder["run"]);
        Assert.Contains("of step 0: whole", Run("verify", "--run", folder["run"]).Output, StringComparison.Ordinal);
        string resumed = ErrorOf("train", "--out", folder["run"], "--resume");
        Assert.Contains("was imported, and has no training to go on with", resumed, StringComparison.Ordinal);
        string evaluated = ErrorOf("eval", "--run", folder["run"], "--data", folder["text.txt"]);
        Assert.Contains("has no tokenizer", evaluated, StringComparison.Ordinal);
        string again = ErrorOf("import", "--model", FamilyCase.Of("mixtral").Folder, "--out", folder["run"]);
        Assert.Equal($"tinymoe: {folder["run"]} holds a run already; name a new folder by --out", again);
    }

    [Fact]
    public void Import_WithATokenizerThatIsNotTheModels_IsRefused()
    {
        Copy(FamilyCase.Of("mixtral").Folder, folder["hub"]);
        File.Copy(
            Path.Combine(FloorsTests.RepositoryRoot(), "tests", "golden", "tokenizers", "gpt2-style", "tokenizer.json"),
            folder["hub/tokenizer.json"]);
        string said = ErrorOf("import", "--model", folder["hub"], "--out", folder["run"]);
        Assert.Contains("the two do not belong together", said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["run/last"]));
    }

    [Fact]
    public void Verify_OfAnImportedRunWithChangedWeights_TellsIt()
    {
        Run("import", "--model", FamilyCase.Of("mixtral").Folder, "--out", folder["run"]);
        byte[] weights = File.ReadAllBytes(folder["run/last/model.safetensors"]);
        weights[^1] ^= 1;
        File.WriteAllBytes(folder["run/last/model.safetensors"], weights);
        CommandLine verified = CommandLine.Run("verify", "--run", folder["run"]);
        Assert.Equal(1, verified.ExitCode);
        Assert.Contains("model.safetensors", verified.Output + verified.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"stop_strings":["o",""]}""", "stop_strings needs texts that are not empty")]
    [InlineData("""{"bos_token_id":7777}""", "begins texts with bos_token_id=7777")]
    public void Generate_WithDefaultsThatCannotBe_NamesThem(string generation, string said)
    {
        Train("dense");
        Run("export", "--run", folder["run"], "--out", folder["hub"]);
        File.WriteAllText(folder["hub/generation_config.json"], generation);
        File.Copy(folder["run/last/tokenizer.json"], folder["hub/tokenizer.json"], overwrite: true);
        Assert.Contains(said, ErrorOf("generate", "--model", folder["hub"], "--tokens", "3"), StringComparison.Ordinal);
    }

    [Fact]
    public void Score_ThatWouldReplaceWhatIsNoFileOrOfTheModel_IsRefused()
    {
        Copy(FamilyCase.Of("mixtral").Folder, folder["hub"]);
        byte[] before = File.ReadAllBytes(folder["hub/model.safetensors"]);
        string said = ErrorOf("score", "--model", folder["hub"], "--ids", Ids, "--logits", folder["hub/../hub/model.safetensors"]);
        Assert.Contains("lies among the files of the model", said, StringComparison.Ordinal);
        Assert.Equal(before, File.ReadAllBytes(folder["hub/model.safetensors"]));
        Assert.SkipWhen(OperatingSystem.IsWindows(), "pipes are files of Unix");
        Shell.Run(folder.Root, "mkfifo pipe");
        said = ErrorOf("score", "--model", folder["hub"], "--ids", Ids, "--logits", folder["pipe"]);
        Assert.Contains("it is a pipe", said, StringComparison.Ordinal);
        Assert.Equal("a pipe", FilePlace.NotRegular(folder["pipe"]));
    }

    [Fact]
    public void Generate_WithoutATokenizer_WritesIds()
    {
        string[] args = ["generate", "--model", FamilyCase.Of("mixtral").Folder, "--ids", "3,1,4", "--tokens", "5"];
        JsonElement json = JsonDocument.Parse(Run([.. args, "--json"]).Output).RootElement;
        string ids = string.Join(',', json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32()));
        Assert.Equal("", json.GetProperty("text").GetString());
        Assert.Equal(ids, Run(args).Output.TrimEnd());
    }

    [Theory]
    [InlineData("--out", "export", "--run", "run", "--out", "")]
    [InlineData("--logits", "score", "--run", "run", "--ids", "1", "--logits", "")]
    [InlineData("--template", "chat", "--run", "run", "--template", "")]
    [InlineData("--model", "info", "--model", "")]
    [InlineData("--data", "tokenizer", "train", "--vocabulary", "300", "--out", "a.json", "--data", "")]
    public void AnEmptyPath_IsRefused(string option, params string[] args)
    {
        CommandLine refused = CommandLine.Run(args);
        Assert.Equal(2, refused.ExitCode);
        Assert.Equal($"tinymoe: {option} needs a path that is not empty", refused.ErrorLines[0]);
    }

    /// <summary>Why the independent reader cannot run here; null: it can.</summary>
    private static string? WhyNoReader { get; } = FindPython();

    private static string? FindPython()
    {
        try
        {
            using Process python = Process.Start(new ProcessStartInfo("python3", ["-c", "import json, math, struct"]))!;
            python.WaitForExit();
            return python.ExitCode == 0 ? null : "python3 does not work";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "there is no python3";
        }
    }

    private float[] Read(string hub)
    {
        string reader = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "golden", "hub_reader.py");
        ProcessStartInfo start = new("python3", [reader, folder[hub], Ids]) { RedirectStandardOutput = true };
        using Process python = Process.Start(start)!;
        string output = python.StandardOutput.ReadToEnd();
        python.WaitForExit();
        Assert.Equal(0, python.ExitCode);
        IEnumerable<JsonElement> rows = JsonDocument.Parse(output).RootElement.EnumerateArray();
        return [.. rows.SelectMany(row => row.EnumerateArray()).Select(value => value.GetSingle())];
    }

    private float[] Logits(string option, string name)
    {
        Run("score", option, folder[name], "--ids", Ids, "--logits", folder["logits.safetensors"], "--threads", "1");
        using SafetensorsReader file = SafetensorsReader.Open(folder["logits.safetensors"]);
        SafetensorsEntry entry = file.Tensors["logits"];
        Assert.Equal(8, entry.Shape[0]);
        float[] values = new float[entry.Count];
        file.Read("logits", [.. entry.Shape], values);
        return values;
    }

    private void Train(string name, string more = "")
    {
        string settings = "model.width=32 model.layers=2 attention.heads=4 attention.kv_heads=2 model.context=16 moe.experts=4 "
            + $"moe.hidden=24 train.batch=2 train.eval_every=4 train.eval_windows=2 train.warmup=2 {Models[name].Settings} {more}";
        Run([
            "train", "--data", folder["text.txt"], "--out", folder["run"], "--steps", "4", "--threads", "1", "--set",
            .. settings.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        ]);
    }

    private static string ErrorOf(params string[] args)
    {
        CommandLine refused = CommandLine.Run(args);
        Assert.Equal(1, refused.ExitCode);
        return Assert.Single(refused.ErrorLines);
    }

    private static CommandLine Run(params string[] args)
    {
        CommandLine done = CommandLine.Run(args);
        Assert.True(done.ExitCode == 0, $"{string.Join(' ', args)}: {done.Error}");
        return done;
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (string file in Directory.GetFiles(from))
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
