namespace TinyMoE.Tokenizers.Bpe;

/// <summary>What two neighbouring tokens become, by open addressing: half of the places are empty.</summary>
internal sealed class PairTable
{
    /// <summary>What a pair that is never merged has; larger than every other.</summary>
    public const long None = long.MaxValue;

    private const ulong Multiplier = 0x9E3779B97F4A7C15;

    private readonly (ulong Key, long Merge)[] places;
    private readonly int shift;

    /// <summary>A table for so many pairs.</summary>
    public PairTable(int count)
    {
        int bits = Math.Max(4, (int)Math.Ceiling(Math.Log2(Math.Max(1, count) * 2.0)));
        places = new (ulong, long)[1 << bits];
        Array.Fill(places, (0UL, None));
        shift = 64 - bits;
    }

    /// <summary>Sets what a pair becomes; a pair that is set again has its last rank.</summary>
    public void Set(int left, int right, int rank, int result)
    {
        ulong key = KeyOf(left, right);
        int at = (int)((key * Multiplier) >> shift);
        while (places[at].Merge != None && places[at].Key != key)
            at = (at + 1) & (places.Length - 1);
        places[at] = (key, ((long)rank << 32) | (uint)result);
    }

    /// <summary>
    /// The merge of a pair: its rank in the upper half and the token it makes in the lower, so that the smaller comes first;
    /// <see cref="None"/>: it has none.
    /// </summary>
    public long this[int left, int right]
    {
        get
        {
            ulong key = KeyOf(left, right);
            (ulong Key, long Merge)[] table = places;
            for (int at = (int)((key * Multiplier) >> shift); ; at = (at + 1) & (table.Length - 1))
            {
                ref (ulong Key, long Merge) place = ref table[at];
                if (place.Key == key || place.Merge == None)
                    return place.Merge;
            }
        }
    }

    private static ulong KeyOf(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
