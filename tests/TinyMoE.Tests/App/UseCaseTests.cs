using TinyMoE.App;
using TinyMoE.Cuda;
using TinyMoE.Generate;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.App;

/// <summary>The use cases as an application has them: requests in, events and results out, no console.</summary>
public sealed class UseCaseTests : IDisposable
{
    private static readonly string Text = string.Concat(Enumerable.Range(0, 400).Select(i => $"the cat sat on mat {i % 10}.\n"));

    /// <summary>A model that trains in a second.</summary>
    private static readonly (string Key, string Value)[] Small =
    [
        ("model.width", "32"), ("model.layers", "2"), ("model.heads", "2"), ("model.kv_heads", "1"), ("model.context", "16"),
        ("moe.experts", "4"), ("moe.hidden", "32"),
        ("train.batch", "4"), ("train.eval_every", "4"), ("train.eval_windows", "8"), ("train.warmup", "5"),
    ];

    private readonly TemporaryFolder folder = new();
    private readonly ConfigChoice choice;

    public UseCaseTests() => choice = new ConfigChoice
    {
        Changes = [.. Small.Select(change => KeyValuePair.Create(change.Key, change.Value))],
        Sources = [folder.Write("text.txt", Text)],
        Steps = 8,
    };

    [Fact]
    public void Run_OfEveryUseCase_TellsWhatHappens()
    {
        RunRecorder recorder = new();
        TrainingRequest request = Prepare("run");
        TrainingOutcome outcome = Training.Run(request with { Profile = true }, recorder);
        Assert.Equal((8, true), (outcome.Result.Step, outcome.Result.Finished));
        Assert.Equal(8 - TrainingProfiler.WarmUpSteps, outcome.Profile?.Steps);
        Assert.Equal(
            [
                "start", "step 1", "step 2", "step 3", "step 4", "checkpoint 4 in last", "evaluation 4 of 2 layers",
                "step 5", "step 6", "step 7", "step 8", "checkpoint 8 in last", "evaluation 8 of 2 layers",
            ],
            recorder.Events);

        EvaluationResult few = Evaluating.Run(new EvaluationRequest(folder["run"]) { Windows = 3 });
        Assert.Equal((outcome.Result.BestStep, 3, 2), (few.Report.Step, few.Measured.Windows, few.Routing.Count));
        Assert.Empty(few.Notes);

        Pieces pieces = new(), again = new();
        GenerationRequest write = new(folder["run"]) { Prompt = "the cat", Tokens = 20, Sampling = new SamplingOptions { Seed = 3 } };
        TextGeneration.Run(write, pieces);
        TextGeneration.Run(write, again);
        Assert.Equal(20, pieces.Text.Length); // one character per token, and the prompt is not among them
        Assert.Equal(pieces.Text, again.Text);
        TextSample sample = TextGeneration.Sample(request);
        Assert.NotEqual("", sample.Text);
        Assert.Null(sample.Label);
        Assert.DoesNotContain('T', sample.Prompt!); // no such character is in the text, so "The " would not do
        TextGeneration.Run(write with { Prompt = sample.Prompt! }, new Pieces());

        ModelInfo info = ModelInfo.Of(new ConfigChoice(), folder["run"]);
        Assert.Equal(folder["run"], info.Name);
        Assert.Equal(
            (recorder.Start!.TotalParameters, recorder.Start.ActiveParameters), (info.Size.TotalParameters, info.Size.ActiveParameters));
        Assert.Equal("nano", ModelInfo.Of(new ConfigChoice { Preset = "nano", Tokenizer = "byte" }).Name);
    }

    [Fact]
    public void Generation_OfAPromptLongerThanTheContext_SaysWhatOfItIsRead()
    {
        Training.Run(Prepare("run"), new RunRecorder());
        string prompt = "the cat sat on mat 1"; // 20 tokens
        GenerationRequest whole = new(folder["run"]) { Prompt = prompt, Tokens = 5 }, end = whole with { Prompt = prompt[4..] };
        Pieces ofWhole = new(), ofEnd = new();
        TextGeneration.Run(whole, ofWhole);
        TextGeneration.Run(end, ofEnd);
        Assert.Equal(
            "the prompt has 20 tokens, more than the model's context of 16: only the last 16 are read", Assert.Single(ofWhole.Notes));
        Assert.Empty(ofEnd.Notes);
        Assert.Equal(ofEnd.Text, ofWhole.Text);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Training_Cancelled_SavesAndReturns_AndGoesOnToTheSameBits(int at)
    {
        Training.Run(Prepare("whole"), new RunRecorder());

        using CancellationTokenSource stop = new();
        RunRecorder recorder = new(afterStep: step => Stop(stop, at, step));
        TrainingOutcome stopped = Training.Run(Prepare("parts"), recorder, stop.Token);
        Assert.Equal((at, false), (stopped.Result.Step, stopped.Result.Finished));
        Assert.Equal($"checkpoint {at} in last", recorder.Events[^1]);

        TrainingRequest resumed = Training.Prepare(new ConfigChoice(), folder["parts"], resume: true);
        Assert.True(Training.Run(resumed, new RunRecorder()).Result.Finished);
        Assert.Equal(
            File.ReadAllBytes(folder["whole/last/model.safetensors"]), File.ReadAllBytes(folder["parts/last/model.safetensors"]));
    }

    [Fact]
    public void Generation_Cancelled_EndsAfterTheTokenInHand()
    {
        Training.Run(Prepare("run") with { StopAt = 1 }, new RunRecorder());
        using CancellationTokenSource stop = new();
        Pieces pieces = new(afterPiece: count => Stop(stop, at: 5, count));
        TextGeneration.Run(new GenerationRequest(folder["run"]), pieces, stop.Token);
        Assert.Equal(5, pieces.Text.Length);
    }

    [Fact]
    public void Notes_OfARun_AreEvents()
    {
        KeyValuePair<string, string>[] looksAhead =
            [KeyValuePair.Create("moe.router", "expert-choice"), KeyValuePair.Create("moe.allow_non_causal", "true")];
        ConfigChoice changed = choice with { Changes = [.. choice.Changes, .. looksAhead] };
        Training.Run(Training.Prepare(changed, folder["run"]) with { StopAt = 1 }, new RunRecorder());
        Pieces pieces = new();
        TextGeneration.Run(new GenerationRequest(folder["run"]) { Tokens = 2 }, pieces);
        Assert.StartsWith("not causal", Assert.Single(pieces.Notes), StringComparison.Ordinal);
        Assert.Equal(pieces.Notes, Evaluating.Run(new EvaluationRequest(folder["run"])).Notes.Select(note => note.Text));
        Assert.Equal(pieces.Notes, ModelInfo.Of(new ConfigChoice(), folder["run"]).Notes.Select(note => note.Text));
    }

    [Fact]
    public void Folder_ThatDoesNotFit_IsARequestsError_InTheWordsOfTheApplication()
    {
        TrainingRequest request = Prepare("run");
        RequestException none = Assert.Throws<RequestException>(() => Training.Prepare(choice, folder["run"], resume: true));
        Assert.Equal($"{folder["run"]} has no run to resume; train without Resume first", none.Message);
        Assert.Equal($"{folder["run"]} has no run to resume; train without [Go on] first", none.In(_ => "[Go on]"));

        Training.Run(request with { StopAt = 1 }, new RunRecorder());
        string there = $"{folder["run"]} holds a run already; Resume goes on, Overwrite replaces it, Folder names another";
        Assert.Equal(there, Assert.Throws<RequestException>(() => Prepare("run")).Message);
        Assert.Equal(there, Assert.Throws<RequestException>(() => Training.Run(request, new RunRecorder())).Message);
    }

    [Fact]
    public void Label_ThatTheModelDoesNotTake_IsARequestsError()
    {
        Training.Run(Prepare("run") with { StopAt = 1 }, new RunRecorder());
        GenerationRequest request = new(folder["run"]) { Label = "cats" };
        RequestException error = Assert.Throws<RequestException>(() => TextGeneration.Run(request, new Pieces()));
        Assert.Equal($"Label is for models of moe.router=task, and {folder["run"]} holds none; leave it out", error.Message);
    }

    [Fact]
    public void WhatCannotBeDone_IsATinyMoEException()
    {
        string nowhere = folder["nowhere"];
        Assert.Throws<TinyMoEException>(() => Evaluating.Run(new EvaluationRequest(nowhere)));
        Assert.Throws<TinyMoEException>(() => TextGeneration.Run(new GenerationRequest(nowhere), new Pieces()));
        Assert.Throws<TinyMoEException>(() => ModelInfo.Of(new ConfigChoice(), nowhere));
        Assert.Throws<TinyMoEException>(() => Training.Prepare(new ConfigChoice { Preset = "nanno" }, nowhere));
        ConfigChoice noKey = new() { Changes = [KeyValuePair.Create("model.widht", "3")] };
        Assert.Throws<TinyMoEException>(() => Training.Prepare(noKey, nowhere));
        TrainingRequest noText = Training.Prepare(choice with { Sources = [nowhere] }, folder["run"]);
        Assert.Throws<TinyMoEException>(() => Training.Run(noText, new RunRecorder()));
        Assert.False(Directory.Exists(folder["run"]));
    }

    [Theory]
    [InlineData("cpu", true, null)]
    [InlineData("cuda", true, 0)]
    [InlineData("cuda:3", true, 3)]
    [InlineData("cuda:-1", false, null)]
    [InlineData("cuda:", false, null)]
    [InlineData("gpu", false, null)]
    public void Device_HasItsName(string name, bool known, int? card)
    {
        DeviceRequest request = new(name, Threads: 2, TensorCores.Tf32, GroupedProducts.Loop);
        Assert.Equal(known, DeviceRequest.IsKnown(name));
        if (!known)
        {
            RequestException error = Assert.Throws<RequestException>(() => request.Choose());
            Assert.Equal($"Device has no '{name}'; known: {DeviceRequest.Known}", error.Message);
            return;
        }

        DeviceChoice processor = new(Threads: 2), numbered = new(card, TensorCores: TensorCores.Tf32, Grouped: GroupedProducts.Loop);
        Assert.Equal(card is null ? processor : numbered, request.Choose());
    }

    public void Dispose() => folder.Dispose();

    private static void Stop(CancellationTokenSource stop, int at, int now)
    {
        if (now == at)
            stop.Cancel();
    }

    private TrainingRequest Prepare(string run) => Training.Prepare(choice, folder[run]) with { Device = new DeviceChoice(Threads: 2) };

    /// <summary>Keeps what a model writes; and does something after a piece.</summary>
    private sealed class Pieces(Action<int>? afterPiece = null) : ITextListener
    {
        private readonly List<string> pieces = [];

        public List<string> Notes { get; } = [];

        public string Text => string.Concat(pieces);

        public void OnNote(NoteReport note) => Notes.Add(note.Text);

        public void OnText(string text)
        {
            pieces.Add(text);
            afterPiece?.Invoke(pieces.Count);
        }
    }
}
