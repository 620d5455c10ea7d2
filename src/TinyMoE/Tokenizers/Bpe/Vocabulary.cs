using System.Text;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>The tokens of a model by id and by text; an id may have none.</summary>
internal sealed class Vocabulary
{
    private readonly string?[] texts;
    private readonly Dictionary<string, int> ids;

    /// <summary>The tokens by id; null where an id has none.</summary>
    public Vocabulary(string?[] texts)
    {
        this.texts = texts;
        ids = new Dictionary<string, int>(texts.Length, StringComparer.Ordinal);
        for (int id = 0; id < texts.Length; id++)
        {
            if (texts[id] is { } text)
                ids.Add(text, id);
        }
    }

    /// <summary>Number of ids, with those that have no token.</summary>
    public int Count => texts.Length;

    /// <summary>Number of tokens.</summary>
    public int Tokens => ids.Count;

    /// <summary>The token of an id; null: it has none.</summary>
    public string? this[int id] => (uint)id < (uint)texts.Length ? texts[id] : null;

    /// <summary>The id of a token; -1: there is none.</summary>
    public int Find(string text) => ids.GetValueOrDefault(text, -1);

    /// <summary>The ids of single characters by code point.</summary>
    public Dictionary<int, int> Characters()
    {
        Dictionary<int, int> characters = [];
        foreach ((string text, int id) in ids)
        {
            if (text.Length > 0 && Rune.TryGetRuneAt(text, 0, out Rune rune) && rune.Utf16SequenceLength == text.Length)
                characters.Add(rune.Value, id);
        }

        return characters;
    }

    /// <summary>The id of <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>, or -1, by byte.</summary>
    public int[] ByteTokens() => [.. Enumerable.Range(0, 256).Select(value => Find($"<0x{value:X2}>"))];
}
