namespace TinyMoE.Data;

/// <summary>A stretch of a text with one label.</summary>
/// <param name="Start">Its first byte or token.</param>
/// <param name="Length">Number of bytes or tokens.</param>
/// <param name="Label">The label of all of it.</param>
/// <param name="Part">The part of the text that it belongs to; of every part the last share is held out.</param>
internal readonly record struct Stretch(int Start, int Length, int Label, int Part)
{
    /// <summary>The first byte or token behind it.</summary>
    public int End => Start + Length;
}
