namespace TinyMoE.Backends;

/// <summary>Keeps what a device is asked for, to do it again by one launch: a CUDA graph.</summary>
public interface IRecorder
{
    /// <summary>Whether work that cannot be recorded is an error; otherwise it is done call by call.</summary>
    bool IsRequired { get; }

    /// <summary>
    /// Keeps what <paramref name="work"/> asks of the device, every call with the arguments that it has now; nothing of it is done yet.
    /// Numbers that change from time to time lie in device memory (<see cref="RandomNumbers.RandomKey.StepPlace"/>,
    /// <see cref="AdamWStep.FactorsPlace"/>). The work should have been done call by call before, so that what it needs is loaded.
    /// </summary>
    /// <exception cref="NotRecordableException">The work needs the host on its way, or the device refuses.</exception>
    IRecording Record(Action work);
}

/// <summary>
/// Recorded work. The buffers that it rented and gave back stay in the pool: others use them between two runs, in the order of the
/// device's work, and none is freed before the recording is dropped.
/// </summary>
public interface IRecording : IDisposable
{
    /// <summary>Whether nobody has rented one of its buffers: only then may it run.</summary>
    bool CanRun { get; }

    /// <summary>Does the work, by one launch.</summary>
    void Run();
}

/// <summary>Some work cannot be recorded; its message says why, as "the host reads ...".</summary>
public sealed class NotRecordableException : TinyMoEException
{
    /// <summary>Because of what the work asks for.</summary>
    public NotRecordableException(string why)
        : base(why)
    {
    }

    /// <summary>Because of what the device answered.</summary>
    public NotRecordableException(string why, Exception inner)
        : base(why, inner)
    {
    }
}
