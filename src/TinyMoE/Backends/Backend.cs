using TinyMoE.Memory;

namespace TinyMoE.Backends;

/// <summary>
/// The contract: every kernel that TinyMoE asks a device for, one partial file per family. Arguments come as inputs,
/// sizes, outputs; the shapes stand above each. A <see cref="Target"/> is an output that is stored (y = ...) or added to
/// (y += ...), or skipped when empty. Views never overlap unless said. Letters: B batch, T time, N rows (tokens
/// where it is of tokens), C channels, V vocabulary, H heads, D head size, E experts, K choices per token, F expert hidden size.
/// </summary>
public abstract partial class Backend : IDisposable
{
    /// <summary>The device in words, as "cpu (2 threads, 256-bit vectors)".</summary>
    public abstract string Name { get; }

    /// <summary>Device memory.</summary>
    public abstract MemoryPool Pool { get; }

    /// <summary>Bytes of memory that there are, whether free or not; null where the device itself says when it has no more.</summary>
    public virtual long? MemoryBytes => null;

    /// <summary>What keeps the work of many calls and does it again by one launch; null where the device has none.</summary>
    public virtual IRecorder? Recorder => null;

    /// <summary>Frees the device's memory and threads.</summary>
    public abstract void Dispose();
}
