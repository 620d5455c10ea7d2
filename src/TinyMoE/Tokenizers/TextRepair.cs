namespace TinyMoE.Tokenizers;

/// <summary>What <see cref="TextCleaning"/> mended in a file, which its owner should know.</summary>
internal enum TextRepair
{
    /// <summary>Lines ended in \r alone.</summary>
    LineEnds,

    /// <summary>The file ended inside a character.</summary>
    CutCharacter,
}
