using System.Text;
using TinyMoE.Tokenizers.Bpe;

namespace TinyMoE.Tokenizers.Training;

/// <summary>The characters that the words of a text are made of.</summary>
internal static class Alphabet
{
    /// <summary>The alphabet of these words, by code point.</summary>
    public static IReadOnlyList<Rune> Of(WordCounts words, BpeTrainerOptions options)
    {
        Dictionary<Rune, long> counts = [];
        for (int word = 0; word < words.Count; word++)
        {
            foreach (Rune letter in new Letters(words[word], options.Bytes))
                counts[letter] = counts.GetValueOrDefault(letter) + words.CountOf(word);
        }

        foreach (Rune letter in options.InitialAlphabet)
            counts[letter] = long.MaxValue;
        IEnumerable<Rune> kept = options.MostCharacters is not { } most ? counts.Keys
            : counts.OrderByDescending(letter => letter.Value).ThenBy(letter => letter.Key).Take(most).Select(letter => letter.Key);
        return [.. kept.Order()];
    }
}

/// <summary>The characters of a word: of its UTF-8, or those that stand for its bytes.</summary>
internal ref struct Letters(ReadOnlySpan<byte> word, bool bytes)
{
    private ReadOnlySpan<byte> rest = word;

    /// <summary>The character in hand.</summary>
    public Rune Current { get; private set; }

    public readonly Letters GetEnumerator() => this;

    /// <summary>Goes on to the next character; bytes that are not UTF-8 read as U+FFFD.</summary>
    public bool MoveNext()
    {
        if (rest.IsEmpty)
            return false;
        int length = 1;
        if (bytes)
        {
            Current = new Rune(ByteCharacters.Of(rest[0]));
        }
        else
        {
            _ = Rune.DecodeFromUtf8(rest, out Rune letter, out length);
            Current = letter;
        }

        rest = rest[length..];
        return true;
    }
}
