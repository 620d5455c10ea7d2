using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>
/// What was made of short words: up to 16 bytes, up to four tokens, a place for each by its hash, where the last one stays. Most words of a
/// text are among few, so that they are merged once.
/// </summary>
internal sealed class WordCache
{
    /// <summary>The most bytes of a word that is kept.</summary>
    public const int Longest = 16;

    private const int Bits = 15, MostTokens = 4;

    private readonly Entry[] entries = new Entry[1 << Bits];

    /// <summary>The place of a word of up to <see cref="Longest"/> bytes that is at <paramref name="at"/> of a text.</summary>
    public ref Entry Find(ReadOnlySpan<byte> text, int at, int length, out bool isThere)
    {
        (ulong low, ulong high) = Key(text, at, length);
        ulong hash = ((low ^ (ulong)length) * 0x9E3779B97F4A7C15) ^ (high * 0xC2B2AE3D27D4EB4F);
        hash ^= hash >> 32;
        ref Entry entry = ref entries[(int)((hash * 0x9E3779B97F4A7C15) >> (64 - Bits))];
        isThere = entry.Low == low && entry.High == high && entry.Length == length;
        if (!isThere)
        {
            (entry.Low, entry.High, entry.Length) = (low, high, (byte)length);
            entry.Count = 0;
        }

        return ref entry;
    }

    private static (ulong Low, ulong High) Key(ReadOnlySpan<byte> text, int at, int length)
    {
        Span<byte> bytes = stackalloc byte[Longest];
        if (at + Longest <= text.Length)
            text.Slice(at, Longest).CopyTo(bytes);
        else
            text.Slice(at, length).CopyTo(bytes);
        ReadOnlySpan<ulong> halves = MemoryMarshal.Cast<byte, ulong>(bytes);
        (ulong low, ulong high) = (halves[0], halves[1]);
        return length >= Longest ? (low, high)
            : length >= 8 ? (low, high & ((1UL << ((length - 8) * 8)) - 1))
            : (low & ((1UL << (length * 8)) - 1), 0);
    }

    /// <summary>A word and its tokens.</summary>
    internal struct Entry
    {
        /// <summary>The bytes of the word.</summary>
        public ulong Low, High;

        private Ids ids;
        private int lengths;

        /// <summary>How many bytes the word has; 0: the place is empty.</summary>
        public byte Length;

        /// <summary>How many tokens it has; 0: too many to be kept.</summary>
        public byte Count;

        /// <summary>A token, and how many bytes it has.</summary>
        public readonly (int Id, int Length) this[int index] => (ids[index], (lengths >> (index * 8)) & 0xFF);

        /// <summary>Keeps the tokens of the word, if they are few.</summary>
        public void Keep(Word word)
        {
            Count = (byte)(word.Count <= MostTokens ? word.Count : 0);
            lengths = 0;
            for (int i = 0; i < Count; i++)
            {
                ids[i] = word.Ids[i];
                lengths |= (byte)word.Lengths[i] << (i * 8);
            }
        }
    }

    [InlineArray(MostTokens)]
    private struct Ids
    {
        private int first;
    }
}
