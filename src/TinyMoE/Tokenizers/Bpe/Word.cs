namespace TinyMoE.Tokenizers.Bpe;

/// <summary>
/// A word while its tokens are merged: ids and how many bytes each stands for. Kept between words, as is what the merging needs.
/// </summary>
internal sealed class Word
{
    // Above, shifting what is behind a merge costs more than a heap.
    private const int Short = 96;

    private int[] ids = new int[128];
    private int[] lengths = new int[128];
    private long[] merges = new long[128]; // what a token and the next one become
    private int[] next = [];
    private int[] previous = [];
    private readonly PriorityQueue<int, long> queue = new();

    /// <summary>Number of tokens.</summary>
    public int Count { get; private set; }

    /// <summary>The tokens.</summary>
    public ReadOnlySpan<int> Ids => ids.AsSpan(0, Count);

    /// <summary>Bytes of each token.</summary>
    public ReadOnlySpan<int> Lengths => lengths.AsSpan(0, Count);

    /// <summary>Empties it.</summary>
    public void Clear() => Count = 0;

    /// <summary>Adds a token of so many bytes.</summary>
    public void Add(int id, int length)
    {
        if (Count == ids.Length)
            Grow(Count + 1);
        (ids[Count], lengths[Count]) = (id, length);
        Count++;
    }

    /// <summary>Makes it one token for each byte of a text.</summary>
    public void SetBytes(ReadOnlySpan<byte> bytes, int[] idOfByte)
    {
        if (bytes.Length > ids.Length)
            Grow(bytes.Length);
        for (int i = 0; i < bytes.Length; i++)
            ids[i] = idOfByte[bytes[i]];
        lengths.AsSpan(0, bytes.Length).Fill(1);
        Count = bytes.Length;
    }

    /// <summary>Merges from a token on: the pair of lowest rank, of several the first, until there is none.</summary>
    public void Merge(PairTable pairs, int from = 0)
    {
        if (Count - from <= Short)
            MergeShort(pairs, from);
        else
            MergeLong(pairs, from);
    }

    private void MergeShort(PairTable pairs, int from)
    {
        int last = Count - 1; // the last token
        long best = PairTable.None;
        int at = -1;
        for (int i = from; i < last; i++)
        {
            long merge = merges[i] = pairs[ids[i], ids[i + 1]];
            if (merge < best)
                (best, at) = (merge, i);
        }

        while (best != PairTable.None)
        {
            ids[at] = (int)best;
            lengths[at] += lengths[at + 1];
            int moved = last - at - 1; // tokens behind the two
            Array.Copy(ids, at + 2, ids, at + 1, moved);
            Array.Copy(lengths, at + 2, lengths, at + 1, moved);
            if (moved > 0)
                Array.Copy(merges, at + 2, merges, at + 1, moved - 1);
            last--;
            if (at > from)
                merges[at - 1] = pairs[ids[at - 1], ids[at]];
            if (at < last)
                merges[at] = pairs[ids[at], ids[at + 1]];
            best = PairTable.None;
            for (int i = from; i < last; i++)
            {
                if (merges[i] < best)
                    (best, at) = (merges[i], i);
            }
        }

        Count = Count == 0 ? 0 : last + 1;
    }

    // A queue of merges by rank and place over a linked list: n log n, where one word may be a whole text.
    private void MergeLong(PairTable pairs, int from)
    {
        int count = Count;
        if (next.Length < count)
            (next, previous) = (new int[ids.Length], new int[ids.Length]);
        queue.Clear();
        for (int i = from; i < count; i++)
        {
            (next[i], previous[i]) = (i + 1, i - 1);
            Enqueue(pairs, i, i + 1 < count ? i + 1 : -1);
        }

        while (queue.TryDequeue(out int at, out long order))
        {
            // Stale: the token is gone, or it or the next one has changed since.
            if (merges[at] == PairTable.None || (merges[at] >> 32) != (order >> 32))
                continue;
            int gone = next[at];
            ids[at] = (int)merges[at];
            lengths[at] += lengths[gone];
            merges[gone] = PairTable.None;
            next[at] = next[gone];
            if (next[at] < count)
                previous[next[at]] = at;
            Enqueue(pairs, at, next[at] < count ? next[at] : -1);
            if (at > from)
                Enqueue(pairs, previous[at], at);
        }

        int to = from;
        for (int i = from; i < count; i = next[i])
            (ids[to], lengths[to++]) = (ids[i], lengths[i]);
        Count = to;
    }

    private void Enqueue(PairTable pairs, int at, int following)
    {
        merges[at] = following < 0 ? PairTable.None : pairs[ids[at], ids[following]];
        if (merges[at] != PairTable.None)
            queue.Enqueue(at, (merges[at] & ~0xFFFFFFFFL) | (uint)at); // by rank, then by place
    }

    private void Grow(int wanted)
    {
        int size = (int)Math.Min(Array.MaxLength, Math.Max(wanted, ids.Length * 2L));
        Array.Resize(ref ids, size);
        Array.Resize(ref lengths, size);
        Array.Resize(ref merges, size);
    }
}
