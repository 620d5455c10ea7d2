namespace TinyMoE.Backends;

/// <summary>
/// Tokens in the order of their logits, largest first and the lower token among equals, by digits of the logits' bits: each digit counts its
/// values and moves the tokens to their places, lowest digit first, so that a pass keeps the order of the one before. No comparison is
/// made, and equal logits stay as they come.
/// </summary>
internal sealed class LikeliestFirst(int vocabulary)
{
    private const int Digits = 4, Values = 256; // a digit is a byte of 32 bits

    private readonly int[] counts = new int[Digits * Values];
    private Token[] tokens = new Token[vocabulary];
    private Token[] moved = new Token[vocabulary];
    private readonly int[] order = new int[vocabulary];

    /// <summary>The <paramref name="count"/> likeliest tokens, and behind them nothing that is in order. logits (V), finite.</summary>
    public ReadOnlySpan<int> Sort(ReadOnlySpan<float> logits, int count)
    {
        int n = Collect(logits, count);
        for (int digit = 0; digit < Digits; digit++)
            Move(n, digit);
        for (int i = 0; i < count; i++)
            order[i] = tokens[i].Id;
        return order.AsSpan(0, count);
    }

    /// <summary>Puts all tokens into a row that may be among the first <paramref name="count"/>, as their highest digits tell, and counts
    /// the values of their digits; how many they are.</summary>
    private int Collect(ReadOnlySpan<float> logits, int count)
    {
        Array.Clear(counts);
        Span<int> highest = counts.AsSpan((Digits - 1) * Values);
        foreach (float logit in logits)
            highest[(int)(Key(logit) >> 24)]++;
        int last = 0; // the value of the highest digit that the last of them has
        for (int sum = highest[0]; sum < count; sum += highest[last])
            last++;
        int n = 0;
        for (int v = 0; v < logits.Length; v++)
        {
            uint key = Key(logits[v]);
            if (key >> 24 > last)
                continue;
            tokens[n++] = new Token(key, v);
            counts[(int)(key & 255)]++;
            counts[Values + (int)(key >> 8 & 255)]++;
            counts[2 * Values + (int)(key >> 16 & 255)]++;
        }

        return n;
    }

    /// <summary>Moves the tokens into the order of a digit; nothing is to do where all have the same.</summary>
    private void Move(int n, int digit)
    {
        Span<int> places = counts.AsSpan(digit * Values, Values);
        int shift = 8 * digit;
        if (n == 0 || places[(int)(tokens[0].Key >> shift & 255)] == n)
            return;
        int next = 0;
        foreach (ref int place in places)
            (place, next) = (next, next + place);
        foreach (Token token in tokens.AsSpan(0, n))
            moved[places[(int)(token.Key >> shift & 255)]++] = token;
        (tokens, moved) = (moved, tokens);
    }

    /// <summary>A number that is the smaller the larger the logit is. Both zeros are one.</summary>
    private static uint Key(float logit)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f);
        return (bits & 0x8000_0000) != 0 ? bits : ~bits & 0x7FFF_FFFF;
    }

    private readonly record struct Token(uint Key, int Id);
}
