using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// The tokens of a forward pass: B sequences of T ids side by side, and what a router may want to know of each besides its vector.
/// </summary>
public sealed class TokenBatch
{
    private const int Few = 256; // numbers that the stack has room for

    private static readonly Func<TokenBatch> New = static () => new TokenBatch(default, 0, 0);

    private Ints labels;
    private Ints positions;
    private int end; // 0: not set
    private int[] places = []; // of the tokens, where each has its own
    private bool hasPlaces;
    private (int Least, int Largest)? labelRange;

    /// <summary>B sequences of T tokens. ids (B·T).</summary>
    public TokenBatch(Ints ids, int B, int T)
    {
        if (ids.Length != B * T)
            throw new ArgumentException($"{ids.Length} ids are not {B} sequences of {T} tokens.");
        (Ids, this.B, this.T) = (ids, B, T);
    }

    /// <summary>The tokens of one sequence, as long as the step of a tape; all have the <paramref name="label"/>, if any.</summary>
    internal static TokenBatch OfSequence(Tape tape, Ints ids, int? label)
    {
        TokenBatch batch = tape.Take(New);
        (batch.Ids, batch.B, batch.T, batch.Start, batch.end, batch.positions) = (ids, 1, ids.Length, 0, 0, default);
        batch.hasPlaces = false;
        (batch.labels, batch.labelRange) = (default, label is { } known ? (known, known) : null);
        if (label is { } all)
        {
            Span<int> one = ids.Length <= Few ? stackalloc int[ids.Length] : new int[ids.Length];
            one.Fill(all);
            batch.labels = tape.Ints(one);
        }

        return batch;
    }

    /// <summary>
    /// One new token of each of B sequences, as long as the step of a tape, each at its own position, with its label unless nobody has one.
    /// </summary>
    internal static TokenBatch OfNewTokens(Tape tape, ReadOnlySpan<int> ids, ReadOnlySpan<int> positions, ReadOnlySpan<int> labels)
    {
        TokenBatch batch = OfSequence(tape, tape.Ints(ids), label: null);
        (batch.B, batch.T, batch.positions, batch.hasPlaces) = (ids.Length, 1, tape.Ints(positions), true);
        if (batch.places.Length < positions.Length)
            batch.places = new int[positions.Length];
        positions.CopyTo(batch.places);
        if (labels.IsEmpty)
            return batch;
        (int least, int largest) = (labels[0], labels[0]);
        foreach (int label in labels)
            (least, largest) = (Math.Min(least, label), Math.Max(largest, label));
        (batch.labels, batch.labelRange) = (tape.Ints(labels), (least, largest));
        return batch;
    }

    /// <summary>The ids (B·T).</summary>
    public Ints Ids { get; private set; }

    /// <summary>Sequences.</summary>
    public int B { get; private set; }

    /// <summary>Tokens per sequence.</summary>
    public int T { get; private set; }

    /// <summary>All tokens, B·T.</summary>
    public int Count => B * T;

    /// <summary>The label of the text that each token is of (B·T); empty where no one knows.</summary>
    public Ints Labels { get => labels; init => labels = value; }

    /// <summary>
    /// Which tokens count; null: all. The others are padding: they reach no expert and count in no loss, no load and no capacity.
    /// </summary>
    public TokenMask? Mask { get; init; }

    /// <summary>The label that all tokens are known to have, so that nobody reads them; null: nobody knows.</summary>
    internal int? LabelOfAll { init => labelRange = value is { } label ? (label, label) : null; }

    /// <summary>The least and the largest label of the batch: read once, whoever asks; waits for the device.</summary>
    internal (int Least, int Largest) LabelRange(Tape tape)
    {
        if (labelRange is null)
        {
            int[] labels = tape.Backend.Read(Labels);
            labelRange = (labels.Min(), labels.Max());
        }

        return labelRange.Value;
    }

    /// <summary>The position of the first token of each sequence: 0, or what a KV cache holds already.</summary>
    internal int Start { get; set; }

    /// <summary>No position is this or more.</summary>
    internal int End { get => end > 0 ? end : Start + T; set => end = value; }

    /// <summary>Where the device has the position of the only token (1); empty: it follows from the start.</summary>
    internal Ints Position { init => positions = value; }

    /// <summary>The position of token n in its sequence.</summary>
    internal int PositionOf(int n) => hasPlaces ? places[n] : Start + n % T;

    /// <summary>The position of each token (B·T).</summary>
    internal Ints Positions(Tape tape)
    {
        if (positions.IsNone)
        {
            Span<int> all = Count <= Few ? stackalloc int[Count] : new int[Count];
            for (int n = 0; n < all.Length; n++)
                all[n] = PositionOf(n);
            positions = tape.Ints(all);
        }

        return positions;
    }
}

/// <summary>Which tokens of a batch count. The ids of the others are of no matter, as long as they are ids.</summary>
public sealed class TokenMask
{
    /// <summary>counts (B·T), sequence by sequence of T.</summary>
    public TokenMask(Tape tape, ReadOnlySpan<bool> counts, int T)
    {
        int B = counts.Length / T;
        float[] ones = new float[counts.Length], inverseSquares = new float[B];
        for (int n = 0; n < counts.Length; n++)
            ones[n] = counts[n] ? 1f : 0f;
        for (int b = 0; b < B; b++)
        {
            int own = counts.Slice(b * T, T).Count(true);
            (Total, Sequences) = (Total + own, Sequences + (own > 0 ? 1 : 0));
            inverseSquares[b] = own == 0 ? 0f : 1f / ((float)own * own);
        }

        Column = tape.Constant((counts.Length, 1), ones);
        InverseSquares = tape.Constant((B, 1), inverseSquares);
    }

    /// <summary>1 for a token that counts, 0 for another (B·T, 1).</summary>
    public Tensor Column { get; }

    /// <summary>Tokens that count.</summary>
    public int Total { get; }

    /// <summary>Sequences with a token that counts.</summary>
    internal int Sequences { get; }

    /// <summary>1/n² for a sequence of n tokens that count, 0 for one of none (B, 1).</summary>
    internal Tensor InverseSquares { get; }
}

/// <summary>Sums over the tokens that count.</summary>
internal static class Masked
{
    /// <summary>The sum of the rows of tokens that count. x (T, C), result (C).</summary>
    public static Tensor SumRows(this Tensor x, TokenMask? mask) => mask is null ? x.SumRows() : x.Multiply(mask.Column).SumRows();
}
