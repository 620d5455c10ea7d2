using TinyMoE.Backends;

namespace TinyMoE.Cuda;

/// <summary>Time on the device, by events on its stream: nobody waits until the times are asked for.</summary>
internal sealed class CudaClock(CudaDevice device) : IDeviceClock, IDisposable
{
    private readonly List<CUevent> events = []; // made when first needed, then used again
    private int used;

    /// <inheritdoc/>
    public int Mark()
    {
        device.MakeCurrent();
        if (used == events.Count)
            events.Add(device.NewEvent(timed: true));
        device.Check(Driver.Events.cuEventRecord(events[used], device.Stream), nameof(Driver.Events.cuEventRecord));
        return used++;
    }

    /// <inheritdoc/>
    public void Wait()
    {
        device.MakeCurrent();
        if (used > 0)
            device.WaitFor(events[used - 1]);
    }

    /// <inheritdoc/>
    public TimeSpan Between(int from, int to)
    {
        float milliseconds = 0;
        device.Check(
            Driver.Events.cuEventElapsedTime(ref milliseconds, events[from], events[to]), nameof(Driver.Events.cuEventElapsedTime));
        return TimeSpan.FromTicks((long)(milliseconds * (double)TimeSpan.TicksPerMillisecond));
    }

    /// <inheritdoc/>
    public void Restart() => used = 0;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CUevent e in events)
            _ = Driver.Events.cuEventDestroy_v2(e);
        events.Clear();
        used = 0;
    }
}
