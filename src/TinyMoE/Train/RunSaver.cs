using System.Diagnostics;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Optim;

namespace TinyMoE.Train;

/// <summary>
/// Saves a run. What the file system refuses (a full disk) does not end it: the old checkpoint stays, the listener is told, and it is tried
/// again; a run that ends with something unsaved says so. What is not finite is never saved.
/// </summary>
internal sealed class RunSaver(
    RunFolder folder, Decoder model, AdamW optimizer, IBatchSource source, ITrainingListener listener,
    IReadOnlyDictionary<string, byte[]>? companions = null)
{
    private const int Attempts = 3;
    private static readonly TimeSpan ShortPause = TimeSpan.FromMilliseconds(100), LongPause = TimeSpan.FromMinutes(1);

    private readonly Stopwatch sinceRefused = new();
    private TrainingState? inLast; // what the checkpoint of that name holds of this run; null: it is of before, or there is none
    private string? lastRefused, bestRefused, kept;
    private int toldStep; // the last step of which the listener was told that it is not saved

    /// <summary>Says that the run goes on from this checkpoint.</summary>
    public void GoesOnFrom(Checkpoint checkpoint)
    {
        kept = Kept(checkpoint.Step, checkpoint.Folder);
        if (checkpoint.Folder == folder.Last)
            inLast = checkpoint.State;
    }

    /// <summary>What there is to go back to.</summary>
    public string Safe => kept is null ? "no checkpoint was written yet" : $"{kept} is kept";

    /// <summary>Whether the newest checkpoint is of this step.</summary>
    public bool HasSaved(int step) => inLast?.Step == step;

    /// <summary>Whether a save was refused so long ago that it is time to try again.</summary>
    public bool IsRetryDue => lastRefused is not null && sinceRefused.Elapsed > LongPause;

    /// <summary>
    /// Saves the newest checkpoint, after the metrics; of a step whose weights it has already, only what is new. False where the file
    /// system refuses.
    /// </summary>
    /// <exception cref="TinyMoEException">A weight or a moment is not finite.</exception>
    public bool SaveLast(MetricsLog metrics, TrainingState state, RoutingSnapshot routing)
    {
        if (inLast == state)
            return true;
        bool isNewStep = inLast?.Step != state.Step;
        lastRefused = Try(() =>
        {
            metrics.Flush();
            Save(folder.Last, isNewStep ? null : folder.Last, state, routing);
        });
        if (lastRefused is not null)
        {
            sinceRefused.Restart();
            if (toldStep != state.Step)
                Tell(state.Step, $"step {state.Step} is not saved: {lastRefused} {Capital(Safe)}; the run goes on and tries again");
            toldStep = state.Step;
            return false;
        }

        (inLast, kept) = (state, Kept(state.Step, folder.Last));
        if (isNewStep)
            listener.OnCheckpoint(state.Step, folder.Last);
        return true;
    }

    /// <summary>Saves the best checkpoint; false where the file system refuses.</summary>
    /// <exception cref="TinyMoEException">A weight or a moment is not finite.</exception>
    public bool SaveBest(TrainingState state, RoutingSnapshot routing)
    {
        bestRefused = Try(() => Save(folder.Best, sameModelAs: null, state, routing));
        if (bestRefused is not null)
            Tell(state.Step, $"the best model so far, of step {state.Step}, is not saved: {bestRefused} The run goes on");
        kept ??= bestRefused is null ? Kept(state.Step, folder.Best) : null;
        return bestRefused is null;
    }

    /// <summary>Whether the checkpoint of a step stays (<c>train.keep_every</c>).</summary>
    public bool IsKept(int step) => model.Config.Train.KeepEvery is > 0 and int every && step > 0 && step % every == 0;

    /// <summary>
    /// Gives the newest checkpoint a place where it stays, if it is of a step that does; it shares the files of the newest until that is
    /// replaced. <paramref name="unlessThere"/>: one that has been cut off before that is not done twice.
    /// </summary>
    public void Keep(TrainingState state, RoutingSnapshot routing, bool unlessThere = false)
    {
        if (!IsKept(state.Step) || (unlessThere && Checkpoint.IsThere(folder.Kept(state.Step))) || inLast != state)
            return; // what is not in last was refused, and the listener knows
        string? refused = Try(() => Save(folder.Kept(state.Step), sameModelAs: folder.Last, state, routing));
        if (refused is not null)
            Tell(state.Step, $"the checkpoint of step {state.Step} does not stay: {refused} The run goes on");
    }

    /// <summary>Makes sure that nothing of a run that ends in this state was refused.</summary>
    /// <exception cref="TinyMoEException">It says what is not saved, and what is.</exception>
    public void RequireSaved(TrainingState state)
    {
        if (lastRefused is not null)
        {
            throw new TinyMoEException($"step {state.Step} is not saved: {lastRefused} {Capital(Safe)}"
                + (kept is null ? "." : "; --resume goes on from it."));
        }

        if (bestRefused is not null)
            throw new TinyMoEException($"the best model is not saved: {bestRefused} The last step is, in {folder.Last}.");
    }

    private void Save(string path, string? sameModelAs, TrainingState state, RoutingSnapshot routing) => CheckpointWriter.Save(
        path,
        sameModelAs is null ? CheckpointWriter.Model(model, optimizer) : CheckpointWriter.SameModel(sameModelAs, model, optimizer),
        CheckpointWriter.State(state),
        source.Save,
        CheckpointWriter.Companions(companions),
        CheckpointWriter.Routing(routing));

    /// <summary>Tries some times in a row, for what passes; null, or why it was refused.</summary>
    private static string? Try(Action save)
    {
        for (int attempt = 1; ; attempt++)
        {
            try
            {
                save();
                return null;
            }
            catch (StorageException e)
            {
                if (attempt == Attempts)
                    return e.Message;
                Thread.Sleep(ShortPause);
            }
        }
    }

    private void Tell(int step, string text) => listener.OnProblem(new ProblemReport(step, text));

    private static string Kept(int step, string place) => $"the checkpoint of step {step} in {place}";

    private static string Capital(string text) => char.ToUpperInvariant(text[0]) + text[1..];
}
