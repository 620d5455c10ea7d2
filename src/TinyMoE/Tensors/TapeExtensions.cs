using TinyMoE.Backends;

namespace TinyMoE.Tensors;

/// <summary>Opens tapes on a backend.</summary>
public static class TapeExtensions
{
    /// <summary>A tape for one step on <paramref name="backend"/>; <paramref name="recording"/> false serves inference.</summary>
    public static Tape NewTape(this Backend backend, bool recording = true) => new(backend, recording);
}
