namespace TinyMoE.Tokenizers.Bpe;

/// <summary>What a BPE model does beside merging.</summary>
/// <param name="Unknown">The token for a character that no token is; null: such a character is dropped.</param>
/// <param name="FuseUnknown">Whether neighbouring unknown characters become one token.</param>
/// <param name="ByteFallback">Whether an unknown character becomes a token per byte, where all of them exist.</param>
/// <param name="IgnoreMerges">Whether a word that is a token is that token, whatever merges make of it.</param>
/// <param name="Prefix">What every character of a word but its first has before it; null: nothing.</param>
/// <param name="Suffix">What the last character of a word has behind it; null: nothing.</param>
internal sealed record BpeOptions(
    string? Unknown = null,
    bool FuseUnknown = false,
    bool ByteFallback = false,
    bool IgnoreMerges = false,
    string? Prefix = null,
    string? Suffix = null);
