using TinyMoE.Tokenizers.Decoders;
using TinyMoE.Tokenizers.Normalizers;
using TinyMoE.Tokenizers.PreTokenizers;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>The steps of a tokenizer.json, in the order in which a text goes through them.</summary>
internal sealed record Pipeline
{
    /// <summary>The place in <see cref="Template"/> where the text's own tokens go.</summary>
    public const int OwnTokens = -1;

    /// <summary>Tokens that are looked for first, as the file has them.</summary>
    public required IReadOnlyList<AddedToken> AddedTokens { get; init; }

    /// <summary>Rewrites the text; null: it stays as it is.</summary>
    public Normalizer? Normalizer { get; init; }

    /// <summary>Cuts the text into words; null: it is one word.</summary>
    public PreTokenizer? PreTokenizer { get; init; }

    /// <summary>Makes tokens of words.</summary>
    public required BpeModel Model { get; init; }

    /// <summary>The ids around a text's own ones, whose place is <see cref="OwnTokens"/>.</summary>
    public IReadOnlyList<int> Template { get; init; } = [OwnTokens];

    /// <summary>Whether the places of tokens leave out white space, and whether a space was put before the text then.</summary>
    public IReadOnlyList<bool> Trims { get; init; } = [];

    /// <summary>The steps from tokens to text; null: tokens are told apart by spaces.</summary>
    public IReadOnlyList<TokenStepKind>? Decoder { get; init; }

    /// <summary>What a person should know of the file.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}
