using System.Diagnostics;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tensors;
using TinyMoE.Train.Objectives;

namespace TinyMoE.Train;

/// <summary>
/// The training loop: batches from a source, a loss from an objective. Every random number is a function of (seed, step), so the state of a
/// run is its weights, its moments and its step.
/// </summary>
public sealed class Trainer : IDisposable
{
    private readonly Backend backend;
    private readonly RunConfig config;
    private readonly IBatchSource source;
    private readonly IObjective objective;
    private readonly RunFolder folder;
    private readonly ITrainingListener listener;
    private readonly bool overwrite;
    private readonly FileLock folderLock;
    private readonly AdamW optimizer;
    private readonly StepInputs inputs;
    private readonly StepNumbers numbers;
    private readonly StepWork work;
    private readonly RunSaver saver;
    private readonly ModelSize size;
    private readonly IReadOnlyList<string> startNotes;
    private TrainingState state;
    private RoutingSnapshot lastRouting = RoutingSnapshot.None;

    /// <summary>
    /// Prepares a run in <paramref name="folder"/>, which no other training can have until this one is disposed of: a new run in an empty
    /// or new folder (<paramref name="overwrite"/>: or in place of the run that is there), or with <paramref name="resume"/> the one that
    /// its newest checkpoint holds. A new one begins with the weights of <paramref name="init"/>, the folder of another run, or without it
    /// with random ones. The objective is language modelling if none is given.
    /// </summary>
    /// <exception cref="TinyMoEException">The folder is in use or holds something else; the configuration or the text is wrong.</exception>
    public Trainer(
        Backend backend,
        RunConfig config,
        IBatchSource source,
        RunFolder folder,
        ITrainingListener listener,
        bool resume = false,
        IObjective? objective = null,
        bool overwrite = false,
        string? init = null)
        : this(folder.Lock(), backend, config, source, folder, listener, resume, objective, overwrite, init)
    {
    }

    /// <summary>Prepares a run in a folder whose lock is taken already.</summary>
    internal Trainer(
        FileLock folderLock,
        Backend backend,
        RunConfig config,
        IBatchSource source,
        RunFolder folder,
        ITrainingListener listener,
        bool resume,
        IObjective? objective,
        bool overwrite,
        string? init)
    {
        this.folderLock = folderLock;
        (this.backend, this.source, this.folder, this.listener, this.overwrite) = (backend, source, folder, listener, overwrite);
        this.objective = objective ?? new LanguageModelling();
        try
        {
            folder.RequireUsable(resume, overwrite);
            if (resume && init is not null)
                throw new ArgumentException("A run that goes on has its own weights.", nameof(init));
            using Checkpoint? own = resume ? folder.OpenNewest() : null;
            using IInitialModel? before = own ?? (init is null ? null : InitialModel.Open(init));
            state = resume ? own!.StateFor(source.Fingerprint) : TrainingState.New(source.Fingerprint);
            this.config = config = source.Complete(config);
            config.Validate();
            if (before is null)
                Validation.CheckLearns(config.Moe);
            source.CheckContext(config.Model.Context);
            if (resume)
                own!.RequireSame(config);
            else if (before is not null)
                InitialWeights.RequireFit(before.Folder, before.Config, config);
            before?.RequireWeights(config);
            size = ModelSize.ToTrain(config, backend);
            Model = init is null ? new Decoder(backend, config) : before!.LoadInitial(backend, config);
            startNotes = [.. resume ? ResumeNotes.Of(own!.Config.Train, config.Train, state.Step)
                : before is null ? [] : [$"begins with the weights of {init}, {before.Origin}", .. before.Notes],
                .. Trainable.Notes(Model.Parameters.All)];
            optimizer = new AdamW(Model.Parameters, config.Train);
            inputs = new StepInputs(backend, config, source, optimizer);
            numbers = new StepNumbers(backend);
            work = new StepWork(
                backend.Recorder, this.objective.IsSameInEveryStep, why => listener.OnNote(new NoteReport(state.Step, why)));
            saver = new RunSaver(folder, Model, optimizer, source, listener, before?.Companions);
            if (resume)
            {
                own!.Load(Model, optimizer);
                lastRouting = own.LoadRouting();
                saver.GoesOnFrom(own);
            }
            else if (before is null && Model.WantsFrequencies)
            {
                int[] frequencies = source.TrainFrequencies();
                Array.Resize(ref frequencies, config.Model.Vocabulary); // the model may have more symbols than the tokenizer
                Model.Prepare(frequencies);
            }
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The model in training.</summary>
    public Decoder Model { get; }

    /// <summary>Counts the kernels of the steps, if it is set; its backend must be the one that trains.</summary>
    public TrainingProfiler? Profiler { get; init; }

    /// <summary>
    /// Trains to the last step, or to <paramref name="stopAt"/> if that comes first, or until <paramref name="stop"/> is cancelled: then
    /// the step in hand is finished. However it ends, the last step is in the folder's <c>last</c> checkpoint.
    /// </summary>
    /// <exception cref="TinyMoEException">
    /// The loss, the gradient or a validation loss is not finite; after a validation loss the step is saved, otherwise the last good
    /// checkpoint stays. Or the run ended, and the file system refused to save its last step.
    /// </exception>
    public TrainingResult Run(int stopAt = int.MaxValue, CancellationToken stop = default)
    {
        if (overwrite && state.Step == 0)
            folder.Remove();
        using MetricsLog metrics = folder.OpenMetrics(state);
        TellStart(metrics);
        if (IsEvaluationDue) // of a run that was cut off between a step's save and its evaluation
            Evaluate(metrics);
        saver.Keep(state, lastRouting, unlessThere: true);
        while (state.Step < Math.Min(config.Train.Steps, stopAt) && !stop.IsCancellationRequested)
        {
            Profiler?.BeginStep();
            StepReport report = Step(state.Step + 1);
            state = state with { Step = report.Step };
            metrics.Write(report);
            listener.OnStep(report);
            Profiler?.EndStep();

            if (IsSaveDue)
                Save(metrics); // before the evaluation, which may take long
            if (IsEvaluationDue)
                Evaluate(metrics);
            saver.Keep(state, lastRouting);
        }

        if (state.Step <= config.Train.Steps)
            Save(metrics);
        saver.RequireSaved(state);
        MemoryReport memory = new(state.Step, MachineMemory.PeakResidentBytes(), backend.Pool.PeakBytes, size.TrainingBytes);
        metrics.Write(memory);
        metrics.Flush();
        bool isFinished = state.Step >= config.Train.Steps;
        return new TrainingResult(state.Step, isFinished, state.BestLoss ?? double.PositiveInfinity, state.BestStep, memory)
        {
            BestBitsPerByte = state.BestBitsPerByte,
        };
    }

    /// <summary>Gives the model's memory and the folder back.</summary>
    public void Dispose()
    {
        work?.Dispose();
        numbers?.Dispose();
        inputs?.Dispose();
        Model?.Dispose();
        folderLock.Dispose();
    }

    private bool IsLastStep => state.Step == config.Train.Steps;

    private bool IsEvaluationDue => state.Step > state.EvaluatedStep && (state.Step % config.Train.EvalEvery == 0 || IsLastStep);

    private bool IsSaveDue => saver.IsRetryDue || IsLastStep || saver.IsKept(state.Step)
        || state.Step % (config.Train.CheckpointEvery == 0 ? config.Train.EvalEvery : config.Train.CheckpointEvery) == 0;

    /// <summary>One step: what differs from the others, the work that is the same, and the one time that the host waits for it.</summary>
    private StepReport Step(int step)
    {
        long started = Stopwatch.GetTimestamp();
        float learningRate = Schedule.LearningRate(config.Train, step);
        inputs.Load(step, learningRate);
        work.Do(inputs.IsLaidOutAsBefore, () => Compute(step, learningRate));
        StepTotals totals = numbers.Read();
        RequireFinite(step, totals);

        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds, tokens = config.Train.Batch * config.Model.Context;
        float loss = totals.Losses[objective.MainPart];
        double? bitsPerByte = inputs.TargetBytes == 0 ? null : loss * tokens / (Math.Log(2) * inputs.TargetBytes);
        return new StepReport(
            step, loss, totals.Losses, learningRate, totals.GradientNorm, tokens / seconds, totals.Dropped, bitsPerByte);
    }

    /// <summary>
    /// The work of a step: model, loss, backward, part by part, so that gradients and losses add up to the mean over the whole batch; then
    /// clip and AdamW. A device that has recorded it does it again without coming here: the step's numbers are those of the inputs.
    /// </summary>
    private void Compute(int step, float learningRate)
    {
        float share = 1f / config.Train.Accumulation;
        Model.Parameters.ZeroGrad();
        numbers.Clear();
        for (int part = 0; part < inputs.Parts.Count; part++)
        {
            using Tape tape = backend.NewTape();
            Pass pass = new(Training: true, config.Train.Seed, step, part) { StepPlace = inputs.Step };
            ObjectiveResult result = objective.Forward(tape, Model, inputs.Parts[part], pass);
            numbers.AddLosses(result.Loss, share);
            if (config.Moe.CapacityFactor > 0)
                numbers.AddChoices(tape, result.Routings);
            numbers.Gather();
            tape.Backward(result.Loss.Total, share);
        }

        Model.Parameters.RequireGradients();
        optimizer.Step(step, learningRate, inputs.Factors);      // clips; leaves the weights alone where the gradient is not finite
        numbers.AddNorm(optimizer.GradientNorm);
        numbers.Gather();
        Model.EndStep();
    }

    private void Evaluate(MetricsLog metrics)
    {
        EvaluationOutcome result = Evaluation.Run(backend, Model, source.ForEvaluation(config), state.Step, objective, lastRouting);
        WarningReport[] warnings = [.. RoutingWarnings.Of(config.Moe, result.Routing, lastRouting)];
        metrics.Write(result.Report, result.Routing, warnings);
        bool isFinite = double.IsFinite(result.Report.Loss), best = isFinite && !(result.Report.Loss >= state.BestLoss);
        state = state with { EvaluatedStep = state.Step };
        if (isFinite)
            lastRouting = result.Snapshot;
        if (best)
        {
            TrainingState better = state.WithBest(result.Report);
            state = saver.SaveBest(better, lastRouting) ? better : state;
        }

        if (IsSaveDue && isFinite)
            Save(metrics);
        listener.OnEvaluation(result.Report, result.Routing, best);
        foreach (WarningReport warning in warnings)
            listener.OnWarning(warning);
        if (!isFinite)
            throw NotFinite(result.Report, metrics);
    }

    /// <summary>Saves the newest checkpoint, if the file system lets it.</summary>
    private void Save(MetricsLog metrics)
    {
        try
        {
            _ = saver.SaveLast(metrics, state, lastRouting);
        }
        catch (NotFiniteException e)
        {
            string what = $"{e.Tensor} holds values that are not finite (NaN or Infinity), so this step is not saved";
            throw NotFinite(state.Step, $"{what}; {saver.Safe}");
        }
    }

    /// <summary>
    /// Where the loss or the gradient is not finite the weights were left alone, so the same forward pass shows where it began.
    /// </summary>
    private void RequireFinite(int step, StepTotals totals)
    {
        if (!float.IsFinite(totals.Total))
            throw NotFinite(step, $"the loss is {totals.Total}, first seen in {FindNonFinite(step) ?? "the sum"}; {saver.Safe}");
        if (!float.IsFinite(totals.GradientNorm))
        {
            string? where = Model.Parameters.FindNonFiniteGradient();
            throw NotFinite(step, $"the gradient's norm is {totals.GradientNorm}, first seen in {where ?? "the sum"}; {saver.Safe}");
        }
    }

    private string? FindNonFinite(int step)
    {
        for (int part = 0; part < config.Train.Accumulation; part++)
        {
            using Tape tape = backend.NewTape();
            Batch batch = source.TrainBatch(tape, config, step, part);
            _ = objective.Forward(tape, Model, batch, new Pass(Training: true, config.Train.Seed, step, part));
            if (tape.FindNonFinite() is { } place)
                return place;
        }

        return null;
    }

    /// <summary>After an evaluation that is not finite: saves the step, unless its weights are not finite either.</summary>
    private TinyMoEException NotFinite(EvalReport report, MetricsLog metrics)
    {
        string what = $"the validation loss is {report.Loss}";
        if (Model.Parameters.FindNonFiniteWeight() is { } name)
            return NotFinite(state.Step, $"{what}, and {name} holds weights that are not finite, so this step is not saved; {saver.Safe}");
        Save(metrics);
        return NotFinite(state.Step, $"{what}; {(saver.HasSaved(state.Step) ? $"the step is saved in {folder.Last}" : saver.Safe)}");
    }

    private static TinyMoEException NotFinite(int step, string what) =>
        new($"step {step}: {what}. Try a lower train.learning_rate, a longer train.warmup or a smaller train.clip.");

    private void TellStart(MetricsLog metrics)
    {
        NoteReport[] notes = [.. ConfigNotes.Of(config).Concat(source.Notes).Select(note => new NoteReport(0, note))];
        NoteReport[] ofStart = [.. startNotes.Select(note => new NoteReport(state.Step, note))];
        foreach (NoteReport note in state.Step == 0 ? [.. ofStart, .. notes] : state.Step < config.Train.Steps ? ofStart : [])
            metrics.Write(note);
        listener.OnStart(new TrainingStart(
            backend.Name, Model.Parameters.Count, size.ActiveParameters, source.TrainTokens, source.ValidationTokens,
            config.Model.Vocabulary, state.Step + 1, config.Train.Steps, [.. ofStart, .. notes]));
    }
}
