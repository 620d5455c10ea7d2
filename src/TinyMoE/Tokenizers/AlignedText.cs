using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers;

/// <summary>
/// Text on its way to a model: UTF-8, and for every byte the stretch of the text it came from. A normalizer writes another; where nothing
/// changed, the stretch is the character that the byte is of.
/// </summary>
internal sealed class AlignedText
{
    private readonly byte[] utf8;
    private readonly int[]? starts; // null: nothing changed, and byte 0 is at origin
    private readonly int[]? ends;
    private readonly int origin;

    private AlignedText(byte[] utf8, int length, int[]? starts, int[]? ends, int origin) =>
        (this.utf8, Length, this.starts, this.ends, this.origin) = (utf8, length, starts, ends, origin);

    /// <summary>A text as it is, whose first byte is at <paramref name="origin"/> of the whole.</summary>
    public AlignedText(ReadOnlySpan<byte> utf8, int origin)
        : this(utf8.ToArray(), utf8.Length, null, null, origin)
    {
    }

    /// <summary>Bytes of it.</summary>
    public int Length { get; }

    /// <summary>Whether it is a later block of a text that was cut, so that nothing is put before it.</summary>
    public bool IsContinued { get; init; }

    /// <summary>The text.</summary>
    public ReadOnlySpan<byte> Utf8 => utf8.AsSpan(0, Length);

    /// <summary>The first byte, in the whole, of what a byte stands for.</summary>
    public int StartOf(int at)
    {
        if (starts != null)
            return starts[at];
        while (at > 0 && (utf8[at] & 0xC0) == 0x80)
            at--;
        return origin + at;
    }

    /// <summary>Behind the last byte, in the whole, of what a byte stands for.</summary>
    public int EndOf(int at)
    {
        if (ends != null)
            return ends[at];
        for (at++; at < Length && (utf8[at] & 0xC0) == 0x80;)
            at++;
        return origin + at;
    }

    /// <summary>Writes a text piece by piece.</summary>
    public sealed class Builder(int capacity)
    {
        private byte[] utf8 = new byte[Math.Max(16, capacity)];
        private int[] starts = new int[Math.Max(16, capacity)];
        private int[] ends = new int[Math.Max(16, capacity)];

        /// <summary>Bytes so far.</summary>
        public int Length { get; private set; }

        /// <summary>Adds bytes that all stand for one stretch.</summary>
        public void Add(ReadOnlySpan<byte> bytes, int start, int end)
        {
            Reserve(bytes.Length);
            bytes.CopyTo(utf8.AsSpan(Length));
            starts.AsSpan(Length, bytes.Length).Fill(start);
            ends.AsSpan(Length, bytes.Length).Fill(end);
            Length += bytes.Length;
        }

        /// <summary>Adds a stretch of a text as it is.</summary>
        public void Add(AlignedText text, int from, int to)
        {
            Reserve(to - from);
            text.Utf8[from..to].CopyTo(utf8.AsSpan(Length));
            if (text.starts != null)
            {
                text.starts.AsSpan(from, to - from).CopyTo(starts.AsSpan(Length));
                text.ends.AsSpan(from, to - from).CopyTo(ends.AsSpan(Length));
                Length += to - from;
                return;
            }

            while (from < to)
            {
                _ = Unicode.At(text.Utf8, from, out int length);
                starts.AsSpan(Length, length).Fill(text.origin + from);
                ends.AsSpan(Length, length).Fill(text.origin + from + length);
                (from, Length) = (from + length, Length + length);
            }
        }

        /// <summary>The text that was written.</summary>
        public AlignedText ToText() => new(utf8, Length, starts, ends, 0);

        private void Reserve(int more)
        {
            long wanted = (long)Length + more;
            if (wanted <= utf8.Length)
                return;
            int size = (int)Math.Min(Array.MaxLength, Math.Max(wanted, utf8.Length * 2L));
            if (size < wanted)
                throw new TinyMoEException("A text is longer than 2 GB when it is normalized: cut it into several.");
            Array.Resize(ref utf8, size);
            Array.Resize(ref starts, size);
            Array.Resize(ref ends, size);
        }
    }
}

/// <summary>A stretch of a text on its way to a model; one that an added token took has that token's id, others -1.</summary>
internal readonly record struct Piece(AlignedText Text, int Start, int End, int Id = Piece.NoToken)
{
    /// <summary>The id of a piece that is no added token.</summary>
    public const int NoToken = -1;

    /// <summary>The bytes of it.</summary>
    public ReadOnlySpan<byte> Utf8 => Text.Utf8[Start..End];

    /// <summary>Whether it begins where the whole text begins.</summary>
    public bool IsFirst => Start < End && Text.StartOf(Start) == 0;
}
