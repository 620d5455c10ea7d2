namespace TinyMoE.Data;

/// <summary>A stretch of a text with one label.</summary>
/// <param name="Start">Its first byte or token.</param>
/// <param name="Length">How many it has.</param>
/// <param name="Label">Its label.</param>
/// <param name="Part">The part of the text that it belongs to; of every part the last share is held out.</param>
internal readonly record struct Stretch(int Start, int Length, int Label, int Part)
{
    /// <summary>The one behind its last.</summary>
    public int End => Start + Length;
}
