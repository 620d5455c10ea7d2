namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Finds the id of a token by its bytes.</summary>
internal sealed class TokenTable
{
    private const int Empty = -1;

    private readonly byte[]?[] tokens;
    private readonly int[] places;
    private readonly int longest;

    /// <summary>A table of tokens by id; null ones are left out, and of equal ones the first is found.</summary>
    public TokenTable(byte[]?[] tokens)
    {
        this.tokens = tokens;
        places = new int[(int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, tokens.Length * 2))];
        Array.Fill(places, Empty);
        for (int id = 0; id < tokens.Length; id++)
        {
            if (tokens[id] is not { } token || Find(token) >= 0)
                continue;
            int at = (int)Hash(token) & (places.Length - 1);
            while (places[at] != Empty)
                at = (at + 1) & (places.Length - 1);
            places[at] = id;
            longest = Math.Max(longest, token.Length);
        }
    }

    /// <summary>Bytes of the longest token.</summary>
    public int Longest => longest;

    /// <summary>The id of a token; -1: there is none.</summary>
    public int Find(ReadOnlySpan<byte> token)
    {
        if (token.Length > longest)
            return Empty;
        for (int at = (int)Hash(token) & (places.Length - 1); places[at] != Empty; at = (at + 1) & (places.Length - 1))
        {
            if (tokens[places[at]].AsSpan().SequenceEqual(token))
                return places[at];
        }

        return Empty;
    }

    private static uint Hash(ReadOnlySpan<byte> token)
    {
        ulong hash = 14695981039346656037;
        foreach (byte value in token)
            hash = (hash ^ value) * 1099511628211;
        return (uint)(hash ^ (hash >> 32));
    }
}
