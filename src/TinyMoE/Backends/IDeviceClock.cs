namespace TinyMoE.Backends;

/// <summary>Tells how long a device worked on a call, where calls return before it has done them. Marks are set as calls are made
/// and read when the device is through, so that measuring makes nobody wait in between.</summary>
public interface IDeviceClock
{
    /// <summary>Marks the moment at which the device will have done all that it was asked for so far.</summary>
    /// <returns>The number of the mark: 0, 1, ... since <see cref="Restart"/>.</returns>
    int Mark();

    /// <summary>Waits for the latest mark; all marks may be read then.</summary>
    void Wait();

    /// <summary>Time of the device between two marks that it has passed.</summary>
    TimeSpan Between(int from, int to);

    /// <summary>Forgets all marks.</summary>
    void Restart();
}
