using System.Numerics;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// How often each word of a text occurs: what byte-pair encoding is trained on. A word is bytes; its text is kept once, one behind the
/// other, and found by an open hash table.
/// </summary>
public sealed class WordCounts
{
    private const int Empty = -1;

    private int[] table = new int[1 << 10]; // word by hash, Empty where there is none; a power of two, at most half full
    private Word[] words = new Word[1 << 9];
    private byte[] text = new byte[1 << 12];
    private int end;

    /// <summary>No words yet.</summary>
    public WordCounts() => Array.Fill(table, Empty);

    /// <summary>Number of different words; they are 0, 1, ... in the order in which they came.</summary>
    public int Count { get; private set; }

    /// <summary>Number of words in all.</summary>
    public long Total { get; private set; }

    /// <summary>The bytes of a word, until more are added.</summary>
    public ReadOnlySpan<byte> this[int word] => text.AsSpan(words[word].Start, words[word].Length);

    /// <summary>How often a word occurs.</summary>
    public long CountOf(int word) => words[word].Times;

    /// <summary>
    /// Counts a word <paramref name="times"/> times more; throws a <see cref="TinyMoEException"/> where words get too many.
    /// </summary>
    public void Add(ReadOnlySpan<byte> word, long times = 1)
    {
        uint hash = Hash(word);
        int place = (int)(hash & (uint)(table.Length - 1));
        Total += times;
        for (; table[place] != Empty; place = (place + 1) & (table.Length - 1))
        {
            ref Word known = ref words[table[place]];
            if (known.Hash != hash || !text.AsSpan(known.Start, known.Length).SequenceEqual(word))
                continue;
            known.Times += times;
            return;
        }

        table[place] = Append(word, hash, times);
        if (2 * Count > table.Length)
            GrowTable();
    }

    /// <summary>Adds all that another counted.</summary>
    public void Add(WordCounts other)
    {
        for (int word = 0; word < other.Count; word++)
            Add(other[word], other.CountOf(word));
    }

    private int Append(ReadOnlySpan<byte> word, uint hash, long times)
    {
        if (word.Length > Array.MaxLength - end)
            throw new TinyMoEException($"The different words of the text have more than {Array.MaxLength} bytes: train on less text.");
        if (end + word.Length > text.Length)
            Array.Resize(ref text, (int)Math.Min(Array.MaxLength, Math.Max(2L * text.Length, (long)end + word.Length)));
        if (Count == words.Length)
            Array.Resize(ref words, 2 * words.Length);
        word.CopyTo(text.AsSpan(end));
        words[Count] = new Word { Start = end, Length = word.Length, Hash = hash, Times = times };
        end += word.Length;
        return Count++;
    }

    private void GrowTable()
    {
        table = new int[2 * table.Length];
        Array.Fill(table, Empty);
        for (int word = 0; word < Count; word++)
        {
            int place = (int)(words[word].Hash & (uint)(table.Length - 1));
            while (table[place] != Empty)
                place = (place + 1) & (table.Length - 1);
            table[place] = word;
        }
    }

    // Multiplies and rotates eight bytes at a time, then mixes as Murmur does.
    private static uint Hash(ReadOnlySpan<byte> word)
    {
        const ulong Factor = 0x9E3779B97F4A7C15;
        ulong hash = (ulong)word.Length;
        for (; word.Length >= 8; word = word[8..])
            hash = BitOperations.RotateLeft((hash ^ BitConverter.ToUInt64(word)) * Factor, 29);
        ulong rest = 0;
        for (int i = 0; i < word.Length; i++)
            rest |= (ulong)word[i] << (8 * i);
        hash = (hash ^ rest) * Factor;
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
        return (uint)(hash ^ (hash >> 33));
    }

    private struct Word
    {
        public int Start, Length;
        public uint Hash;
        public long Times;
    }
}
