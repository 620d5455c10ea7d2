namespace TinyMoE.Tokenizers;

/// <summary>What <see cref="TextCleaning"/> found in a file that its owner should know.</summary>
internal enum TextFlaw
{
    /// <summary>Lines ended in \r alone; they end in \n now.</summary>
    OldLineEnds,

    /// <summary>Beside \n there is \r inside of lines; it stays.</summary>
    StrayReturns,

    /// <summary>The file ended inside a character, which is gone.</summary>
    CutCharacter,
}
