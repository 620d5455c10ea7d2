using TinyMoE.App;
using TinyMoE.Files;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Train;
using TinyMoE.Train;

namespace TinyMoE.Tests.App;

/// <summary>A new run that begins with the weights of another (<c>train --init</c>).</summary>
public sealed class InitialWeightsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly string other;
    private readonly ConfigChoice small;

    public InitialWeightsTests()
    {
        string text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 200).Select(i => $"the cat sat on mat {i % 10}.\n")));
        other = folder.Write("other.txt", string.Concat(Enumerable.Range(0, 200).Select(i => $"a mat {i % 10} the cat has not.\n")));
        small = new ConfigChoice
        {
            Changes =
            [
                Change("model.width", "16"), Change("model.layers", "2"), Change("attention.heads", "2"), Change("attention.kv_heads", "1"),
                Change("model.context", "16"), Change("moe.experts", "4"), Change("moe.hidden", "16"), Change("train.batch", "2"),
                Change("train.eval_every", "3"), Change("train.eval_windows", "4"), Change("train.warmup", "1"),
            ],
            Sources = [text],
            Steps = 6,
        };
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("top-k")]
    [InlineData("deepseek")]
    [InlineData("hash")]
    public void Init_BeginsWithTheWeights_AndWhatRoutersKeep_AndSaysSo(string router)
    {
        Train("a", small, ("moe.router", router), ("moe.hash", "balanced"));
        (string, string)[] before = Files("a");
        string checkpoint = RunFolder.FindCheckpoint(folder["a"]);
        RatesRecorder recorder = Train(
            "b", From("a") with { Sources = [other], Steps = 2 },
            ("train.learning_rate", "1e-30"), ("train.min_learning_rate", "0"), ("moe.bias_rate", "0"));

        using SafetensorsReader first = SafetensorsReader.Open(Path.Combine(checkpoint, "model.safetensors"));
        using SafetensorsReader second = SafetensorsReader.Open(folder["b/last/model.safetensors"]);
        Assert.Equal(first.Tensors.Keys.Order(), second.Tensors.Keys.Order());
        Assert.All(first.Tensors.Keys, name => Assert.Equal(Values(first, name), Values(second, name)));
        Assert.Contains(first.Tensors.Keys, name => router == "top-k" || Values(first, name) is var values
            && name.EndsWith(router == "hash" ? "hash.table" : "e_score_correction_bias", StringComparison.Ordinal)
            && values.Any(value => value != 0f));

        NoteReport note = recorder.Notes[0];
        Assert.Equal((0, $"begins with the weights of {folder["a"]}, step {Checkpoints.Step(checkpoint)}"), (note.Step, note.Text));
        Assert.Equal(MetricsJson.Line(note), File.ReadLines(folder["b/metrics.jsonl"]).First());
        Assert.Equal(2, recorder.Rates.Count);
        Assert.Equal(before, Files("a"));
        Assert.Equal(File.ReadAllBytes(folder["a/last/tokenizer.json"]), File.ReadAllBytes(folder["b/last/tokenizer.json"]));
    }

    [Fact]
    public void Init_ThatStops_GoesOnAsIfItHadNot()
    {
        Train("a", small);
        Train("whole", From("a") with { Sources = [other], Seed = 7 });
        TrainingRequest parts = Training.Prepare(From("a") with { Sources = [other], Seed = 7 }, folder["parts"]);
        Training.Run(parts with { StopAt = 4, Device = new DeviceChoice(Threads: 1) }, new RatesRecorder());
        RatesRecorder resumed = new();
        Training.Run(Training.Prepare(new ConfigChoice(), folder["parts"], resume: true), resumed);
        Assert.Empty(resumed.Notes);
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(folder[$"whole/last/{file}"]), File.ReadAllBytes(folder[$"parts/last/{file}"]));
    }

    [Fact]
    public void Init_WithLabels_KeepsTheirNumbers_AndGoesOn()
    {
        string[] both = [$"cats={small.Sources![0]}", $"mats={other}"];
        Train("a", small with { Sources = both }, ("moe.router", "task"));
        string[] turned = [$"mats={other}", $"cats={small.Sources[0]}"];
        TrainingRequest request = Training.Prepare(From("a") with { Sources = turned }, folder["b"]);
        Training.Run(request with { StopAt = 2 }, new RatesRecorder());
        Assert.Equal(["cats", "mats"], Checkpoints.Labels(folder["b/last"])!);
        Training.Run(Training.Prepare(new ConfigChoice(), folder["b"], resume: true), new RatesRecorder());

        TrainingRequest third = Training.Prepare(From("a") with { Sources = [$"dogs={other}"] }, folder["c"]);
        string message = Assert.Throws<TinyMoEException>(() => Training.Run(third, new RatesRecorder())).Message;
        Assert.Contains("knows no label 'dogs'; known: cats, mats", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Init_WithAText_OfOtherCharacters_IsRefused_AndLeavesNoFolder()
    {
        Train("a", small);
        string odd = folder.Write("odd.txt", string.Concat(Enumerable.Repeat("the cat & the mat.\n", 100)));
        TrainingRequest request = Training.Prepare(From("a") with { Sources = [odd] }, folder["b"]);
        Assert.Contains("'&'", OneLine.Of(() => Training.Run(request, new RatesRecorder())), StringComparison.Ordinal);
        Assert.False(Directory.Exists(folder["b"]));
    }

    [Theory]
    [InlineData("model.width", "32", "model.width=16")]
    [InlineData("model.norm", "layer", "model.norm=\"rms\"")]
    [InlineData("attention.heads", "4", "attention.heads=2")]
    [InlineData("moe.experts", "8", "moe.experts=4")]
    [InlineData("moe.router", "deepseek", "moe.router=\"deepseek\"")]
    [InlineData("data.tokenizer", "byte", "data.tokenizer=\"char\"")]
    public void Init_WithAKeyThatTheWeightsDoNotFit_NamesIt(string key, string value, string named)
    {
        Train("a", small);
        ConfigChoice changed = From("a") with { Changes = [Change(key, value)] };
        string message = Assert.Throws<TinyMoEException>(() => Training.Prepare(changed, folder["b"])).Message;
        Assert.Contains(named, message, StringComparison.Ordinal);
        Assert.Contains(folder["a"], message, StringComparison.Ordinal);
    }

    [Fact]
    public void Init_WithKeysThatTheWeightsFit_Trains()
    {
        Train("a", small);
        RatesRecorder recorder = Train(
            "b", From("a"), ("model.dropout", "0.1"), ("model.context", "24"), ("moe.router", "gshard"), ("moe.z_loss", "0.01"),
            ("moe.capacity_factor", "2"), ("attention.window", "8"));
        Assert.Equal(6, recorder.Rates.Count);
    }

    [Fact]
    public void Init_AfterARunWithAKeptSchedule_HasAScheduleOfItsOwn()
    {
        Train("a", small, ("train.schedule_steps", "3"));
        Assert.Equal(0, Training.Prepare(From("a"), folder["b"]).Config.Train.ScheduleSteps);
    }

    [Fact]
    public void Init_WithWhatExcludesIt_OrIntoItsCheckpoint_IsRefused()
    {
        Train("a", small);
        Assert.Throws<RequestException>(() => Training.Prepare(From("a"), folder["a"], resume: true));
        Assert.Throws<RequestException>(() => Training.Prepare(From("a") with { Preset = "nano" }, folder["b"]));
        Assert.Throws<RequestException>(() => Training.Prepare(From("a"), folder["a"]));
        Assert.Throws<RequestException>(() => Training.Prepare(From("a"), folder["a/best"]));
        Assert.Throws<TinyMoEException>(() => Training.Prepare(From("nowhere"), folder["b"]));
        Assert.Equal("a", From("a").Name);
    }

    private static KeyValuePair<string, string> Change(string key, string value) => KeyValuePair.Create(key, value);

    private static float[] Values(SafetensorsReader file, string name)
    {
        float[] values = new float[file.Tensors[name].Count];
        file.Read(name, [.. file.Tensors[name].Shape], values);
        return values;
    }

    private ConfigChoice From(string run) => new() { Init = folder[run] };

    private (string, string)[] Files(string run) =>
    [
        .. Directory.GetFiles(folder[run], "*", SearchOption.AllDirectories).Order()
            .Select(file => (file, Convert.ToHexString(File.ReadAllBytes(file)))),
    ];

    private RatesRecorder Train(string run, ConfigChoice choice, params (string Key, string Value)[] changes)
    {
        choice = choice with { Changes = [.. choice.Changes, .. changes.Select(change => Change(change.Key, change.Value))] };
        RatesRecorder recorder = new();
        Training.Run(Training.Prepare(choice, folder[run]) with { Device = new DeviceChoice(Threads: 1) }, recorder);
        return recorder;
    }
}
