using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Rotary positions.
public abstract partial class Backend
{
    /// <summary>Rotates the pairs (i, i + D/2) of every head of q and k by the angle of its position, start +
    /// t; <paramref name="inverse"/> rotates back (the backward). q, yq (B, T, H, D), k, yk (B, T, KvHeads,
    /// D), k may be empty; a stored yq may be q itself, and yk k; cos, sin (positions, D/2).</summary>
    public abstract void Rope(
        Floats q, Floats k, Floats cos, Floats sin, int B, int T, int H, int KvHeads, int D, int start, bool inverse, Target yq, Target yk);
}
