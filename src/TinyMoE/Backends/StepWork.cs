namespace TinyMoE.Backends;

/// <summary>
/// Does the work of a step, of training or of generation: call by call, or, where the device can record it and every step is the same,
/// recorded once and then by one launch per step, which gives the same bits. The first steps go call by call: memory is taken in them and
/// kernels are loaded.
/// </summary>
/// <param name="recorder">The device's; null: it has none.</param>
/// <param name="isSameInEveryStep">Whether every step asks for the same work, other values in its inputs apart.</param>
/// <param name="tell">Is told why steps are not recorded, once.</param>
internal sealed class StepWork(IRecorder? recorder, bool isSameInEveryStep, Action<string> tell) : IDisposable
{
    private IRecording? recording;
    private bool isOff = recorder is null;

    /// <summary>
    /// Does it. <paramref name="isLaidOutAsBefore"/>: its inputs are where those of the step before were, so that what was done then can be
    /// recorded now, and what was recorded done again.
    /// </summary>
    /// <exception cref="TinyMoEException">The device must record it, and cannot.</exception>
    public void Do(bool isLaidOutAsBefore, Action work)
    {
        if (recording is { } ready && !(isLaidOutAsBefore && ready.CanRun))
            Dispose(); // to be recorded anew at the next step
        else if (!isOff && isLaidOutAsBefore)
            recording ??= TryRecord(work);

        if (recording is null)
            work();
        else
            recording.Run();
    }

    /// <summary>Forgets what was recorded.</summary>
    public void Dispose()
    {
        recording?.Dispose();
        recording = null;
    }

    private IRecording? TryRecord(Action work)
    {
        try
        {
            if (!isSameInEveryStep)
                throw new NotRecordableException("the objective may ask for other work in every step");
            return recorder!.Record(work);
        }
        catch (NotRecordableException e)
        {
            if (recorder!.IsRequired)
                throw new TinyMoEException($"The steps cannot be launched as a graph, which was asked for: {e.Message}.", e);
            isOff = true;
            tell($"steps are launched call by call, not as a graph: {e.Message}");
            return null;
        }
    }
}
