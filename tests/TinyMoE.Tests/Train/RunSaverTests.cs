using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;
using TinyMoE.Tests.Files;
using TinyMoE.Train;
using TinyMoE.Train.Objectives;

namespace TinyMoE.Tests.Train;

/// <summary>A save that is refused, an evaluation that is cut off, a reader beside: nothing is lost and nothing mixed.</summary>
public sealed class RunSaverTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend backend = new(2);
    private readonly Problems listener = new();

    private RunFolder Run => new(folder["a"]);

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    [Fact]
    public void Save_RefusedForATime_IsTold_AndTriedAgain()
    {
        using (Trainer trainer = New())
        {
            listener.Then = step => Block("last", step.Step is >= 8 and < 16);
            trainer.Run(stopAt: 20);
        }

        ProblemReport problem = Assert.Single(listener.Found);
        Assert.Equal(10, problem.Step);
        Assert.StartsWith($"step 10 is not saved: Cannot write the folder {Run.Last}: ", problem.Text, StringComparison.Ordinal);
        Assert.EndsWith("No checkpoint was written yet; the run goes on and tries again", problem.Text, StringComparison.Ordinal);
        Assert.Equal((20, 20), (Checkpoints.Step(Run.Last), Checkpoints.Step(Run.Best)));
        Assert.Equal(20, File.ReadLines(Run.Metrics).Count(line => line.Contains("\"kind\":\"train\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void Save_RefusedToTheEnd_EndsTheRunWithWhatIsNotSaved_AndResumesToTheSameBits()
    {
        using (Trainer whole = New("whole"))
            whole.Run(stopAt: 25);
        using (Trainer trainer = New())
        {
            listener.Then = step => Block("last", step.Step >= 14);
            string error = OneLine.Of(() => trainer.Run(stopAt: 25));
            Assert.StartsWith($"step 25 is not saved: Cannot write the folder {Run.Last}: ", error, StringComparison.Ordinal);
            Assert.EndsWith($"The checkpoint of step 10 in {Run.Last} is kept; --resume goes on from it.", error, StringComparison.Ordinal);
        }

        Block("last", false);
        Assert.Equal(10, Checkpoints.Step(Run.Last));
        listener.Then = null;
        Directory.Delete(Run.Best, recursive: true); // it is of step 20, and would be gone on from
        using (Trainer trainer = New(resume: true))
            trainer.Run(stopAt: 25);
        Assert.Equal(File.ReadAllBytes(folder["whole/last/model.safetensors"]), File.ReadAllBytes(folder["a/last/model.safetensors"]));
    }

    [Fact]
    public void Best_Refused_IsSaidAtTheEnd_AndTheLastStepIsSaved()
    {
        using Trainer trainer = New();
        listener.Then = step => Block("best", step.Step >= 5);
        string error = OneLine.Of(() => trainer.Run(stopAt: 12));
        Assert.StartsWith($"the best model is not saved: Cannot write the folder {Run.Best}: ", error, StringComparison.Ordinal);
        Assert.Equal(12, Checkpoints.Step(Run.Last));
        Assert.StartsWith("the best model so far, of step 10, is not saved", Assert.Single(listener.Found).Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(20)]
    [InlineData(30)]
    public void Evaluation_CutOff_LosesNoStep_AndResumesToTheSameBytes(int step)
    {
        using (Trainer whole = New("whole"))
            whole.Run();
        using (Trainer trainer = New(objective: new CutOff(step / 10)))
            Assert.Throws<OperationCanceledException>(() => trainer.Run());
        Assert.Equal(step, Checkpoints.Step(Run.Last));
        Assert.Empty(CheckpointDamage.Find(Run.Last));

        using (Trainer trainer = New(resume: true))
            trainer.Run();

        foreach (string checkpoint in (string[])["best", "last"])
        {
            foreach (string file in Directory.GetFiles(folder[$"whole/{checkpoint}"]).Select(file => Path.GetFileName(file)))
                Assert.Equal(File.ReadAllBytes(folder[$"whole/{checkpoint}/{file}"]), File.ReadAllBytes(folder[$"a/{checkpoint}/{file}"]));
        }

        Assert.Equal(Evaluations("whole"), Evaluations("a"));
    }

    [Fact]
    public void KeepEvery_CheckpointsStay_EachOfItsStep_AndGoWithTheRun()
    {
        Dictionary<int, float[]> weights = [];
        using (Trainer trainer = New(keepEvery: 6))
        {
            listener.Then = step => weights[step.Step] = trainer.Model.Values();
            trainer.Run(stopAt: 20);
        }

        Assert.Equal([6, 12, 18], Run.AllKept.Select(Checkpoints.Step));
        Assert.Equal(20, Checkpoints.Step(Run.Last));
        foreach (string kept in Run.AllKept)
        {
            Assert.Empty(CheckpointDamage.Find(kept));
            using Checkpoint checkpoint = Checkpoint.Open(RunFolder.FindCheckpoint(kept));
            using Decoder model = checkpoint.LoadModel(backend);
            Assert.Equal(weights[checkpoint.Step], model.Values());
        }

        Run.Remove();
        Assert.Empty(Run.AllKept);
    }

    [Fact]
    public void KeepEvery_CutOffBefore_KeepsWhenItGoesOn()
    {
        using (Trainer trainer = New(objective: new CutOff(2), keepEvery: 20))
            Assert.Throws<OperationCanceledException>(() => trainer.Run());
        Assert.Empty(Run.AllKept);
        using (Trainer trainer = New(resume: true, keepEvery: 20))
            trainer.Run(stopAt: 21);
        Assert.Equal([20], Run.AllKept.Select(Checkpoints.Step));
    }

    [Fact]
    public void KeepEvery_Refused_IsTold_AndTheRunGoesOn()
    {
        using Trainer trainer = New(keepEvery: 10);
        listener.Then = step => Block("step-20", step.Step == 20);
        trainer.Run();
        Assert.StartsWith("the checkpoint of step 20 does not stay: ", Assert.Single(listener.Found).Text, StringComparison.Ordinal);
        Assert.Equal([10, 30], Run.AllKept.Select(Checkpoints.Step));
    }

    [Fact]
    public void FindForeign_AFolderOfSomebodyElse_WithTheNameOfOneThatStays_IsRefused()
    {
        using (Trainer trainer = New())
            trainer.Run(stopAt: 3);
        Directory.CreateDirectory(folder["a/step-7"]);
        Assert.Contains("step-7", OneLine.Of(() => New(resume: true).Dispose()), StringComparison.Ordinal);
        Directory.Move(folder["a/step-7"], folder["a/step-07"]); // no name that a run gives
        New(resume: true).Dispose();
    }

    [Fact]
    public async Task Reader_BesideATraining_SeesOneStepOrTheNext()
    {
        Dictionary<int, float[]> weights = [];
        int seen = 0;
        using Trainer trainer = New(checkpointEvery: 1);
        listener.Then = step => weights[step.Step] = trainer.Model.Values();
        Task<TrainingResult> training = Task.Run(() => trainer.Run(stopAt: 29));
        using CpuBackend mine = new(1);
        List<(int Step, float[] Weights)> readings = [];
        while (!training.IsCompleted)
        {
            if (!Checkpoint.Exists(Run.Last))
                continue;
            using Checkpoint checkpoint = Checkpoint.Open(Run.Last);
            using Decoder model = checkpoint.LoadModel(mine);
            readings.Add((checkpoint.Step, model.Values()));
        }

        await training;
        foreach ((int step, float[] read) in readings)
        {
            Assert.True(step >= seen);
            seen = step;
            Assert.Equal(weights[step], read);
        }

        Assert.NotEmpty(readings);
    }

    /// <summary>Makes saves of a checkpoint fail, as a full disk would, or lets them be again.</summary>
    private void Block(string checkpoint, bool isBlocked)
    {
        string place = folder[$"a/.{checkpoint}.new"];
        if (isBlocked)
            File.WriteAllText(place, "no folder can be made here");
        else if (File.Exists(place))
            File.Delete(place);
    }

    private string[] Evaluations(string run) =>
        [.. File.ReadLines(folder[$"{run}/metrics.jsonl"]).Where(line => !line.StartsWith("{\"kind\":\"train\"", StringComparison.Ordinal)
            && !line.StartsWith("{\"kind\":\"memory\"", StringComparison.Ordinal))];

    private Trainer New(string name = "a", bool resume = false, IObjective? objective = null, int checkpointEvery = 0, int keepEvery = 0)
    {
        Corpus corpus = TestModels.Corpus();
        TrainConfig train = TestModels.Tiny.Train with { CheckpointEvery = checkpointEvery, KeepEvery = keepEvery };
        RunConfig config = TestModels.Tiny with { Train = train };
        return new Trainer(backend, config.For(corpus), corpus, new RunFolder(folder[name]), listener, resume, objective);
    }

    /// <summary>Language modelling whose evaluation of this number ends the process, as far as a test can.</summary>
    private sealed class CutOff(int evaluation) : IObjective
    {
        private readonly LanguageModelling inner = new();
        private int evaluated; // batches

        public string MainPart => inner.MainPart;

        public ObjectiveResult Forward(Tape tape, Decoder model, Batch batch, Pass pass)
        {
            int batches = TestModels.Tiny.Train.EvalWindows / TestModels.Tiny.Train.Batch;
            if (!pass.Training && evaluated++ == evaluation * batches - 1)
                throw new OperationCanceledException();
            return inner.Forward(tape, model, batch, pass);
        }
    }

    private sealed class Problems : ITrainingListener
    {
        public List<ProblemReport> Found { get; } = [];

        public Action<StepReport>? Then { get; set; }

        public void OnStart(TrainingStart start)
        {
        }

        public void OnStep(StepReport r) => Then?.Invoke(r);

        public void OnEvaluation(EvalReport eval, IReadOnlyList<TinyMoE.Inspect.RoutingReport> routing, bool best)
        {
        }

        public void OnProblem(ProblemReport problem) => Found.Add(problem);

        public void OnCheckpoint(int step, string path)
        {
        }
    }
}
