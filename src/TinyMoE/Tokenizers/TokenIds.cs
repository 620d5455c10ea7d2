using System.Buffers.Binary;

namespace TinyMoE.Tokenizers;

/// <summary>
/// Ids of tokens one after another, each in as many bytes as the vocabulary needs: one up to 256 ids, two up to 65,536, four above.
/// A text of characters stays about as long as it was.
/// </summary>
public readonly struct TokenIds
{
    private readonly ReadOnlyMemory<byte> packed;
    private readonly int size; // bytes per id

    private TokenIds(ReadOnlyMemory<byte> packed, int size) => (this.packed, this.size) = (packed, size);

    /// <summary>Number of ids.</summary>
    public int Length => size == 0 ? 0 : packed.Length / size;

    /// <summary>The id at a place.</summary>
    public int this[int index] => Read(packed.Span, index);

    /// <summary>The <paramref name="length"/> ids from <paramref name="start"/> on; they share the memory.</summary>
    public TokenIds Slice(int start, int length) => new(packed.Slice(start * size, length * size), size);

    /// <summary>Copies as many ids from <paramref name="start"/> on as the destination has room for.</summary>
    public void CopyTo(int start, Span<int> destination)
    {
        ReadOnlySpan<byte> wanted = Slice(start, destination.Length).packed.Span;
        for (int i = 0; i < destination.Length; i++)
            destination[i] = Read(wanted, i);
    }

    /// <summary>The ids in an array of their own.</summary>
    public int[] ToArray()
    {
        int[] ids = new int[Length];
        CopyTo(0, ids);
        return ids;
    }

    /// <summary>Packs ids of a vocabulary of that many.</summary>
    public static TokenIds Of(ReadOnlySpan<int> ids, int vocabulary)
    {
        Writer writer = new(ids.Length, vocabulary);
        foreach (int id in ids)
            writer.Add(id);
        return writer.Written;
    }

    /// <summary>Some stretches of the ids, laid end to end in an array of their own.</summary>
    internal TokenIds Select(IReadOnlyList<(int Start, int Length)> stretches)
    {
        byte[] selected = new byte[stretches.Sum(stretch => stretch.Length) * size];
        int end = 0;
        foreach ((int start, int length) in stretches)
        {
            ReadOnlySpan<byte> ids = Slice(start, length).packed.Span;
            ids.CopyTo(selected.AsSpan(end));
            end += ids.Length;
        }

        return new TokenIds(selected, size);
    }

    private int Read(ReadOnlySpan<byte> ids, int index)
    {
        ReadOnlySpan<byte> id = ids.Slice(index * size, size);
        return size switch
        {
            1 => id[0],
            2 => BinaryPrimitives.ReadUInt16LittleEndian(id),
            _ => BinaryPrimitives.ReadInt32LittleEndian(id),
        };
    }

    private static int SizeIn(int vocabulary) => vocabulary <= 1 << 8 ? 1 : vocabulary <= 1 << 16 ? 2 : 4;

    /// <summary>Packs ids one by one; it has room for as many as it was made for, and makes more where it must.</summary>
    internal struct Writer(int count, int vocabulary)
    {
        private readonly int size = SizeIn(vocabulary);
        private byte[] packed = new byte[(long)count * SizeIn(vocabulary)];
        private int end;

        public readonly TokenIds Written => new(packed.AsMemory(0, end), size);

        public void Add(int id)
        {
            if (end + size > packed.Length)
                Grow();
            Span<byte> place = packed.AsSpan(end, size);
            switch (size)
            {
                case 1:
                    place[0] = checked((byte)id);
                    break;
                case 2:
                    BinaryPrimitives.WriteUInt16LittleEndian(place, checked((ushort)id));
                    break;
                default:
                    BinaryPrimitives.WriteInt32LittleEndian(place, id);
                    break;
            }

            end += size;
        }

        // By half: a text that was guessed too short leaves a third of its memory empty at most.
        private void Grow()
        {
            long wanted = Math.Min(Array.MaxLength / size * size, end + Math.Max(16L, end / size / 2) * size);
            if (wanted < end + size)
                throw new TinyMoEException($"The text has more than {Array.MaxLength / size} tokens: name fewer files.");
            Array.Resize(ref packed, (int)wanted);
        }
    }
}
