using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Rotary positions.
public abstract partial class Backend
{
    /// <summary>Rotates the pairs of every head of q and k by the angle of its position, start + t; <paramref name="inverse"/> rotates
    /// back (the backward). What is not turned is copied. q, yq (B, T, H, D), k, yk (B, T, KvHeads, D), k may be empty; a stored yq may be
    /// q itself, and yk k; cos, sin (positions, Turned/2). With a stride they are columns of rows that are longer than they.</summary>
    public abstract void Rope(Values q, Values k, Floats cos, Floats sin, in RopeSizes sizes, bool inverse, Target yq, Target yk);
}

/// <summary>The angles that queries and keys were turned by, whose gradients are to be turned back; the empty one: they were not.</summary>
/// <param name="Cos">Cosines (positions, Turned/2).</param>
/// <param name="Sin">Sines (positions, Turned/2).</param>
/// <param name="Turned">Elements of a head that are turned, from its first: an even number.</param>
/// <param name="Start">Position of the first token.</param>
/// <param name="Interleaved">Pairs are neighbours.</param>
public readonly record struct RotaryAngles(Floats Cos, Floats Sin, int Turned, int Start = 0, bool Interleaved = false)
{
    /// <summary>Whether nothing is turned.</summary>
    public bool IsNone => Cos.IsNone;
}

/// <summary>Sizes of a rotation, and which elements of a head are pairs: (i, i + Turned/2), or neighbours (2i, 2i + 1).</summary>
/// <param name="B">Sequences.</param>
/// <param name="T">Tokens per sequence.</param>
/// <param name="H">Query heads.</param>
/// <param name="KvHeads">Key heads.</param>
/// <param name="D">Size of a head.</param>
/// <param name="Turned">Elements of a head that are turned, from its first: an even number, at most D.</param>
/// <param name="Start">Position of the first token.</param>
/// <param name="Interleaved">Pairs are neighbours.</param>
public readonly record struct RopeSizes(int B, int T, int H, int KvHeads, int D, int Turned, int Start = 0, bool Interleaved = false)
{
    /// <summary>Elements from a token to the next in q, k and what comes of them, where these are columns of a matrix, whose other columns
    /// stay as they are; 0: each is dense.</summary>
    public int Stride { get; init; }
}
