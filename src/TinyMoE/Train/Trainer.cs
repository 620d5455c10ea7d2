using System.Diagnostics;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Ops;
using TinyMoE.Optim;
using TinyMoE.Tensors;

namespace TinyMoE.Train;

/// <summary>How a run ended.</summary>
/// <param name="Step">The last step done.</param>
/// <param name="Finished">False when it was stopped before its last step.</param>
/// <param name="BestLoss">The lowest validation loss, infinite when there was no evaluation.</param>
/// <param name="BestStep">Its step.</param>
/// <param name="Memory">What it took.</param>
public sealed record TrainingResult(int Step, bool Finished, double BestLoss, int BestStep, MemoryReport Memory);

/// <summary>The training loop. Every random number is a function of (seed, step), so the state of a run is its weights, its moments and its step.</summary>
public sealed class Trainer : IDisposable
{
    private const string GradientNorm = "gradient_norm", Wanted = "wanted"; // of the step's numbers, those that are no losses

    private readonly Backend backend;
    private readonly RunConfig config;
    private readonly Corpus corpus;
    private readonly RunFolder folder;
    private readonly ITrainingListener listener;
    private readonly AdamW optimizer;
    private readonly int[] inputs;
    private readonly int[] targets;
    private readonly int[] labels;
    private readonly StepNumbers numbers;
    private TrainingState state;
    private RoutingSnapshot lastRouting = RoutingSnapshot.None;

    /// <summary>Prepares a run in <paramref name="folder"/>: a new one, or with <paramref name="resume"/> the one that its last checkpoint holds.</summary>
    public Trainer(Backend backend, RunConfig config, Corpus corpus, RunFolder folder, ITrainingListener listener, bool resume = false)
    {
        config = config.WithLabels(corpus.Labels.Count);
        (this.backend, this.config, this.corpus, this.folder, this.listener) = (backend, config, corpus, folder, listener);
        corpus.CheckContext(config.Model.Context);
        Model = new Decoder(backend, config);
        optimizer = new AdamW(Model.Parameters, config.Train);
        state = TrainingState.New(corpus.Fingerprint);
        int micro = config.Train.Batch / config.Train.Accumulation * config.Model.Context;
        numbers = new StepNumbers(backend);
        (inputs, targets, labels) = (new int[micro], new int[micro], new int[config.Moe.RoutesByLabel ? micro : 0]);
        if (resume)
        {
            state = Checkpoint.Load(folder.Last, Model, optimizer, corpus.Fingerprint);
            lastRouting = Checkpoint.LoadRouting(folder.Last);
        }
        else if (config.Moe is { Experts: > 0, Router: RouterKind.Hash, Hash: HashKind.Balanced })
        {
            Model.Prepare(corpus.TrainFrequencies());
        }
    }

    /// <summary>The model in training.</summary>
    public Decoder Model { get; }

    /// <summary>Who counts the kernels of the steps, if anybody; its backend must be the one that trains.</summary>
    public TrainingProfiler? Profiler { get; init; }

    /// <summary>
    /// Trains to the last step, or to <paramref name="stopAt"/> if that comes first, or until <paramref name="stop"/> is cancelled: then the step in hand is finished.
    /// However it ends, the last step is in the folder's <c>last</c> checkpoint.
    /// </summary>
    /// <exception cref="TinyMoEException">The loss or the gradient is not finite; the last good checkpoint stays.</exception>
    public TrainingResult Run(int stopAt = int.MaxValue, CancellationToken stop = default)
    {
        TrainConfig train = config.Train;
        using MetricsLog metrics = folder.OpenMetrics(state.Step);
        TrainingStart start = Describe();
        foreach (NoteReport note in state.Step == 0 ? start.Notes! : [])
            metrics.Write(note);
        listener.OnStart(start);
        while (state.Step < Math.Min(train.Steps, stopAt) && !stop.IsCancellationRequested)
        {
            int step = state.Step + 1;
            Profiler?.BeginStep();
            long started = Stopwatch.GetTimestamp();
            float learningRate = Schedule.LearningRate(train, step);
            long served = ComputeGradients(step);
            optimizer.Step(step, learningRate);
            numbers.Add(GradientNorm, optimizer.GradientNorm);
            Dictionary<string, float> losses = numbers.Read(); // the one time that the host waits for the step
            losses.Remove(GradientNorm, out float norm);
            float? dropped = losses.Remove(Wanted, out float wanted) ? 1f - served / wanted : null;
            RequireFinite(step, losses["total"], norm);
            Model.EndStep();
            state = state with { Step = step };

            double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
            StepReport report = new(step, losses["cross_entropy"], losses, learningRate, norm, train.Batch * config.Model.Context / seconds, dropped);
            metrics.Write(report);
            listener.OnStep(report);
            Profiler?.EndStep();

            bool last = step == train.Steps;
            bool evaluate = step % train.EvalEvery == 0 || last;
            if (evaluate)
                Evaluate(metrics);
            if (train.CheckpointEvery == 0 ? evaluate : step % train.CheckpointEvery == 0 || last)
                SaveLast(metrics);
        }

        if (state.SavedStep != state.Step)
            SaveLast(metrics);
        MemoryReport memory = new(state.Step, PeakResidentBytes(), backend.Pool.PeakBytes, ModelSize.Of(config).TrainingBytes);
        metrics.Write(memory);
        return new TrainingResult(state.Step, state.Step >= train.Steps, state.BestLoss ?? double.PositiveInfinity, state.BestStep, memory);
    }

    /// <summary>Gives the model's memory back.</summary>
    public void Dispose()
    {
        numbers.Dispose();
        Model.Dispose();
    }

    /// <summary>
    /// Forward and backward over the step's batch, part by part; gradients add up to the mean over the batch, and so do the losses among the step's numbers.
    /// Returns, with a capacity factor, how many choices found their expert.
    /// </summary>
    private long ComputeGradients(int step)
    {
        int parts = config.Train.Accumulation;
        long served = 0;
        Model.Parameters.ZeroGrad();
        numbers.Clear();
        for (int part = 0; part < parts; part++)
        {
            using Tape tape = backend.NewTape();
            (DecoderOutput output, Objective objective) = Forward(tape, step, part);
            foreach ((string name, Tensor value) in objective.Parts)
                numbers.Add(name, value, 1f / parts);
            numbers.Add("total", objective.Total, 1f / parts);
            if (config.Moe.CapacityFactor > 0 && output.Routings.Count > 0)
            {
                numbers.Add(Wanted, CountWanted(tape, output));
                served += output.Routings.Sum(layer => layer.Routing.Assignment.ReadCounts().Sum());
            }

            numbers.Gather();
            tape.Backward(objective.Total, [1f / parts]);
        }

        Model.Parameters.RequireGradients();
        return served;
    }

    /// <summary>How many choices all layers made (1).</summary>
    private static Tensor CountWanted(Tape tape, DecoderOutput output)
    {
        Tensor counts = tape.Constant(output.Routings[0].Routing.Assignment.Experts);
        for (int i = 0; i < output.Routings.Count; i++)
            output.Routings[i].Routing.CountWanted(new Target(counts.Data, Adds: i > 0));
        return counts.Sum();
    }

    /// <summary>The model and its objective on one part of the step's batch.</summary>
    private (DecoderOutput Output, Objective Objective) Forward(Tape tape, int step, int part)
    {
        TrainConfig train = config.Train;
        int B = train.Batch / train.Accumulation, T = config.Model.Context;
        corpus.TrainBatch(train.Seed, step, first: part * B, T, inputs, targets, labels);
        Pass pass = new(Training: true, train.Seed, step, part);
        TokenBatch tokens = new(tape.Ints(inputs), B, T) { Labels = labels.Length == 0 ? default : tape.Ints(labels) };
        DecoderOutput output = Model.Forward(tape, tokens, pass);
        return (output, Objective.Of(output, tape.Ints(targets), config.Moe.LayerLosses));
    }

    private static long PeakResidentBytes()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    private void Evaluate(MetricsLog metrics)
    {
        int[] windows = corpus.SpreadValidationWindows(config.Model.Context, config.Train.EvalWindows);
        (EvalReport report, IReadOnlyList<RoutingReport> routing, RoutingSnapshot seen) = Evaluation.Run(backend, Model, corpus, windows, state.Step, lastRouting);
        WarningReport[] warnings = [.. RoutingWarnings.Of(config.Moe, routing, lastRouting)];
        lastRouting = seen;
        metrics.Write(report, routing, warnings);
        bool best = !(report.Loss >= state.BestLoss);
        if (best)
        {
            state = state with { BestLoss = report.Loss, BestStep = state.Step };
            Checkpoint.Save(folder.Best, Model, optimizer, corpus, state, lastRouting);
        }

        listener.OnEvaluation(report, routing, best);
        foreach (WarningReport warning in warnings)
            listener.OnWarning(warning);
    }

    private void SaveLast(MetricsLog metrics)
    {
        metrics.Flush();
        state = state with { SavedStep = state.Step };
        Checkpoint.Save(folder.Last, Model, optimizer, corpus, state, lastRouting);
        listener.OnCheckpoint(state.Step, folder.Last);
    }

    /// <summary>Where the loss or the gradient is not finite the weights were left alone, so the same forward pass shows where it began.</summary>
    private void RequireFinite(int step, float loss, float norm)
    {
        if (!float.IsFinite(loss))
            throw NotFinite($"the loss is {loss}", step, FindNonFinite(step));
        if (!float.IsFinite(norm))
            throw NotFinite($"the gradient's norm is {norm}", step, Model.Parameters.FindNonFiniteGradient());
    }

    private string? FindNonFinite(int step)
    {
        for (int part = 0; part < config.Train.Accumulation; part++)
        {
            using Tape tape = backend.NewTape();
            Forward(tape, step, part);
            if (tape.FindNonFinite() is { } place)
                return place;
        }

        return null;
    }

    private TinyMoEException NotFinite(string what, int step, string? where)
    {
        string kept = state.SavedStep > 0 ? $"the checkpoint of step {state.SavedStep} in {folder.Last} is kept" : "no checkpoint was written yet";
        return new TinyMoEException(
            $"step {step}: {what}, first seen in {where ?? "the sum"}; {kept}. Try a lower train.learning_rate, a longer train.warmup or a smaller train.clip.");
    }

    private TrainingStart Describe() => new(
        backend.Name, Model.Parameters.Count, ModelSize.Of(config).ActiveParameters, corpus.Train.Length, corpus.Validation.Length,
        config.Model.Vocabulary, state.Step + 1, config.Train.Steps, [.. ConfigNotes.Of(config).Select(note => new NoteReport(0, note))]);
}
