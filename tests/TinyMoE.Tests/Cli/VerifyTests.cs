using System.Text.Json;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

public sealed class VerifyTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public VerifyTests() =>
        folder.Write("text.txt", string.Concat(Enumerable.Repeat("the cat sat on the mat, and the dog saw it.\n", 200)));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Verify_ARunThatIsWhole_SaysSo()
    {
        Train("a");
        CommandLine whole = CommandLine.Run("verify", "--run", folder["a"]);
        Assert.Equal(0, whole.ExitCode);
        Assert.Equal([$"{folder["a/best"]} of step 4: whole", $"{folder["a/last"]} of step 4: whole"], whole.OutputLines);
    }

    [Fact]
    public void Verify_Damage_IsNamed_AndExitsWith1()
    {
        Train("a");
        byte[] model = File.ReadAllBytes(folder["a/last/model.safetensors"]);
        model[^100] ^= 4;
        File.WriteAllBytes(folder["a/last/model.safetensors"], model);
        File.Delete(folder["a/last/labels.json"]);
        File.AppendAllText(folder["a/metrics.jsonl"], "{\"kind\":\"tr");

        CommandLine found = CommandLine.Run("verify", "--run", folder["a"]);
        Assert.Equal(1, found.ExitCode);
        Assert.Equal($"{folder["a/best"]} of step 4: whole", found.OutputLines[0]);
        Assert.Equal($"{folder["a/last"]}: damaged", found.OutputLines[1]);
        Assert.Equal($"  {folder["a/last/labels.json"]} is missing", found.OutputLines[2]);
        Assert.StartsWith($"  {folder["a/last/model.safetensors"]} is not the file that was written", found.OutputLines[3]);
        Assert.StartsWith($"{folder["a/metrics.jsonl"]}, line ", found.OutputLines[4]);

        CommandLine json = CommandLine.Run("verify", "--run", folder["a"], "--json");
        JsonElement report = JsonDocument.Parse(Assert.Single(json.OutputLines)).RootElement;
        Assert.Equal((1, false), (json.ExitCode, report.GetProperty("whole").GetBoolean()));
        Assert.Equal(2, report.GetProperty("checkpoints")[1].GetProperty("problems").GetArrayLength());
    }

    [Fact]
    public void Verify_AFolderInPlaceOfTheMetrics_IsNamed()
    {
        Train("a");
        File.Delete(folder["a/metrics.jsonl"]);
        Directory.CreateDirectory(folder["a/metrics.jsonl"]);
        CommandLine found = CommandLine.Run("verify", "--run", folder["a"]);
        Assert.Equal((1, $"{folder["a/metrics.jsonl"]} is not a regular file but a folder"), (found.ExitCode, found.OutputLines[^1]));
    }

    [Fact]
    public void Verify_CheckpointsOfTwoRuns_AreToldApart()
    {
        Train("a");
        Train("b", "--seed", "2");
        Directory.Delete(folder["a/best"], recursive: true);
        Directory.Move(folder["b/best"], folder["a/best"]);
        CommandLine found = CommandLine.Run("verify", "--run", folder["a"]);
        Assert.Equal(1, found.ExitCode);
        Assert.Contains("differ in train.seed: they are of two runs", found.OutputLines[^1]);

        CommandLine resumed = CommandLine.Run("train", "--resume", "--steps", "9", "--out", folder["a"]);
        Assert.Equal(1, resumed.ExitCode);
        Assert.Contains("differ in train.seed: they are of two runs; take away", Assert.Single(resumed.ErrorLines));
    }

    [Fact]
    public void Verify_NoRun_IsOneLine()
    {
        CommandLine none = CommandLine.Run("verify", "--run", folder["none"]);
        Assert.Equal(1, none.ExitCode);
        Assert.Contains("There is no folder", Assert.Single(none.ErrorLines));
    }

    private void Train(string run, params string[] more)
    {
        string[] small = ["model.width=32", "model.layers=1", "attention.heads=2", "model.context=16", "moe.experts=2", "moe.hidden=16"];
        CommandLine trained = CommandLine.Run(
            ["train", "--data", folder["text.txt"], "--out", folder[run], "--steps", "4", "--set", .. small, "train.batch=2", .. more]);
        Assert.Equal(0, trained.ExitCode);
    }
}
